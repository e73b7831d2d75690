/** `Prefer` of RFC 7240: of all preferences, `wait`. `respond-async` is how the service answers anyway. */

/** More is no preference of anybody's. */
const MAX_LENGTH = 1_000;
/** Between commas, those inside of quoted strings aside. */
const PREFERENCES = /(?:[^",]|"(?:[^"\\]|\\.)*")+/g;
const NAME = /^\s*([\w!#$%&'*+.^`|~-]+)/;
/** Seconds, bare or quoted; parameters behind them mean nothing here. */
const WAIT = /^\s*wait\s*=\s*("?)(\d+)\1\s*(?:;|$)/i;

/**
 * The seconds of `wait=N` (RFC 7240, 4.3). Where it is given more than once the first one counts (section 2).
 *
 * @returns 0 where there is none, or none that makes sense
 */
export function waitOf(prefer: string): number {
  if (prefer.length > MAX_LENGTH) return 0;
  const first = prefer.match(PREFERENCES)?.find((one) => NAME.exec(one)?.[1]?.toLowerCase() === "wait");
  return Number(WAIT.exec(first ?? "")?.[2] ?? 0);
}
