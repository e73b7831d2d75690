const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SHORT = /^\s*(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|d)\s*)+$/;
const PART = /(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)/g;
const ISO = /^P(?!$)(?:(\d+)D)?(?:T(?!$)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/**
 * Milliseconds of a duration: `"500ms"`, `"30s"`, `"1h 5m"`, `"7d"`, or ISO 8601 without calendar units
 * (`"PT30S"`, `"P1DT2H"`). `undefined` for anything else.
 */
export function parseDuration(text: string): number | undefined {
  if (text.length > 64) return undefined;
  if (SHORT.test(text)) {
    let total = 0;
    for (const [, amount, unit] of text.matchAll(PART)) total += Number(amount) * UNITS[unit!]!;
    return Math.round(total);
  }
  const iso = ISO.exec(text);
  if (!iso) return undefined;
  const [, days = 0, hours = 0, minutes = 0, seconds = 0] = iso;
  return Math.round(
    ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1000,
  );
}
