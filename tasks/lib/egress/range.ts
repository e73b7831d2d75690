import { BlockList, isIP, isIPv4 } from "node:net";

/** Addresses in CIDR notation (RFC 4632, RFC 4291 section 2.3). */
export interface Range {
  readonly address: string;
  /** Bits that the addresses have in common. */
  readonly prefix: number;
}

/** The range of `10.0.0.0/8`, `fd00::/8`, or of one address; `undefined` for anything else. */
export function parseRange(text: string): Range | undefined {
  const [, address = "", length] = /^([\d.a-f:]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? [];
  const bits = { 0: undefined, 4: 32, 6: 128 }[isIP(address) as 0 | 4 | 6];
  const prefix = length === undefined ? bits : Number(length);
  return bits !== undefined && prefix !== undefined && prefix <= bits ? { address, prefix } : undefined;
}

/**
 * Looks addresses up in ranges. An IPv4 range holds the IPv6 addresses that lead to it, too: mapped ones
 * (`::ffff:10.0.0.1`, RFC 4291) and those of NAT64 (`64:ff9b::10.0.0.1`, RFC 6052).
 */
export class Ranges {
  readonly #list = new BlockList();

  constructor(ranges: readonly Range[]) {
    for (const { address, prefix } of ranges) {
      if (!isIPv4(address)) {
        this.#list.addSubnet(address, prefix, "ipv6");
        continue;
      }
      this.#list.addSubnet(address, prefix, "ipv4");
      for (const start of EMBEDDING) this.#list.addSubnet(start + address, 96 + prefix, "ipv6");
    }
  }

  /** @param address an IP address without a zone */
  has(address: string): boolean {
    return this.#list.check(address, isIPv4(address) ? "ipv4" : "ipv6");
  }
}

/** What IPv6 addresses begin with that stand for the IPv4 address in their last 32 bits. */
export const EMBEDDING = ["::ffff:", "64:ff9b::"];

/** What is left of an IPv4 range without the holes, in as few ranges as it takes. */
export function without(range: Range, holes: readonly Range[]): Range[] {
  const near = holes.filter((hole) => isIPv4(hole.address) && overlap(range, hole));
  if (near.length === 0) return [range];
  if (near.some(({ prefix }) => prefix <= range.prefix)) return [];
  const prefix = range.prefix + 1;
  const first = start(range);
  return [first, first + 2 ** (32 - prefix)].flatMap((half) =>
    without({ address: dotted(half), prefix }, near)
  );
}

function overlap(a: Range, b: Range): boolean {
  const prefix = Math.min(a.prefix, b.prefix);
  return start({ ...a, prefix }) === start({ ...b, prefix });
}

/** The first address of an IPv4 range, as a number. */
function start({ address, prefix }: Range): number {
  const number = address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  return number - number % 2 ** (32 - prefix);
}

function dotted(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}
