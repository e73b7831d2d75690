import { isIP, isIPv4 } from "node:net";
import { EMBEDDING, parseRange, type Range, Ranges } from "./range.ts";

/**
 * Where an address leads: `"public"`, anywhere in the Internet; `"private"`, to hosts of the operator's own, this one
 * among them; `"never"`, to nothing that a task has business with: metadata services, neighbours on the link, groups,
 * addresses that are reserved or that hide another one.
 */
export type Reach = "public" | "private" | "never";

const ranges = (...texts: string[]): Range[] => texts.map((text) => parseRange(text)!);

/** Names that `EGRESS_ALLOW` admits may lead there. */
export const PRIVATE: readonly Range[] = ranges(
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "::1",
  "fc00::/7",
);

/**
 * What is not globally reachable (IANA IPv4 and IPv6 Special-Purpose Address Registries, RFC 6890), and the metadata
 * services that clouds keep at other addresses.
 */
export const NEVER: readonly Range[] = ranges(
  "0.0.0.0/8",
  // Link-local; the metadata service of most clouds is 169.254.169.254.
  "169.254.0.0/16",
  "192.0.0.0/24",
  // Documentation.
  "192.0.2.0/24",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "192.88.99.0/24",
  "198.18.0.0/15",
  "224.0.0.0/4",
  "240.0.0.0/4",
  // Metadata services: Azure's; Alibaba's; those of AWS and Google over IPv6.
  "168.63.129.16",
  "100.100.100.200",
  "fd00:ec2::254",
  "fd20:ce::254",
  "::",
  // Protocol assignments, with Teredo, whose addresses hide an IPv4 address.
  "2001::/23",
  "2001:db8::/32",
  // 6to4, whose addresses hide an IPv4 address.
  "2002::/16",
  "3fff::/20",
);

/** All that IPv6 has given out to be reached globally, and the IPv4 addresses in it. */
const GLOBAL = ranges("2000::/3", ...EMBEDDING.map((start) => `${start}0.0.0.0/96`));

const never = new Ranges(NEVER);
const own = new Ranges(PRIVATE);
const global = new Ranges(GLOBAL);

/** @param address as resolvers answer it and URLs hold it; what is no plain IP address leads nowhere */
export function reachOf(address: string): Reach {
  // A zone (`fe80::1%eth0`) is for addresses of a link, and would hide the address from the lists.
  if (isIP(address) === 0 || address.includes("%")) return "never";
  if (never.has(address)) return "never";
  if (own.has(address)) return "private";
  return isIPv4(address) || global.has(address) ? "public" : "never";
}
