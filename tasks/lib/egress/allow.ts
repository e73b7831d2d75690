import { reachOf } from "./address.ts";
import { parseRange, type Range, Ranges } from "./range.ts";

/** The targets that `EGRESS_ALLOW` admits although they are not public. */
export class AllowList {
  /** Nothing but what is public. */
  static readonly NOTHING: AllowList = new AllowList([], []);

  readonly #ranges: Ranges;
  readonly #names: ReadonlySet<string>;

  constructor(readonly ranges: readonly Range[], readonly names: readonly string[]) {
    this.#ranges = new Ranges(ranges);
    this.#names = new Set(names);
  }

  /** @param host a name or an address, without brackets and final dot */
  admitsName(host: string): boolean {
    return this.#names.has(host);
  }

  admitsAddress(address: string): boolean {
    // What is no plain address is in no range.
    return !address.includes("%") && this.#ranges.has(address);
  }

  /** Whether a connection may be opened to an address that a host has. */
  admits(host: string, address: string): boolean {
    const reach = reachOf(address);
    return reach === "public" || (reach === "private" && this.admitsName(host)) ||
      this.admitsAddress(address);
  }
}

const NAME =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?!\d+$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Reads `EGRESS_ALLOW`, `"10.1.0.0/16, fd00::/8, ci.example.org"`; `undefined` where it is anything else. */
export function parseAllowList(text: string): AllowList | undefined {
  const ranges: Range[] = [];
  const names: string[] = [];
  for (const entry of text.toLowerCase().split(",").map((entry) => entry.trim())) {
    const range = parseRange(entry);
    if (range) ranges.push(range);
    else if (NAME.test(entry)) names.push(entry);
    else return undefined;
  }
  return new AllowList(ranges, names);
}

let configured: AllowList | undefined;

/** What the environment of this process says, read once. Nothing where it may not be read. */
export function configuredAllowList(): AllowList {
  return configured ??= parseAllowList(environment("EGRESS_ALLOW") ?? "") ?? AllowList.NOTHING;
}

function environment(variable: string): string | undefined {
  // Asked first: what may not be read would throw.
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  return state === "granted" ? Deno.env.get(variable) : undefined;
}
