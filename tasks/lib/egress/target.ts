import { isIP } from "node:net";
import { type AllowList, configuredAllowList } from "./allow.ts";
import { z } from "zod";

const URL_MAX = 2_048;
const LOCALHOST = /^(?:.+\.)?localhost$/;

/**
 * Ports above 1023 at which something else than a web server listens, which may take a request for its own protocol:
 * WHATWG Fetch, "port blocking", and the caches and databases that read commands line by line.
 */
const OTHERS = new Set([
  ...[
    1719,
    1720,
    1723,
    2049,
    3659,
    4045,
    4190,
    5060,
    5061,
    6000,
    6566,
    6665,
    6666,
    6667,
    6668,
    6669,
    6679,
    6697,
  ],
  ...[10080, 6379, 6380, 11211],
]);

/** The host of a URL as resolvers and lists have it: without brackets, without a final dot. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$|\.$/g, "");
}

/** Where a request to this URL connects to. */
export function portOf({ port, protocol }: URL): number {
  return Number(port || (protocol === "https:" ? 443 : 80));
}

/**
 * What forbids a URL as the target of a request, as far as it can be seen without asking a name server, in words that
 * complete "The URL …"; `undefined` where nothing does. `URL` has read decimal, octal and hexadecimal addresses, and
 * full-width digits, into plain ones.
 */
export function targetFlaw(
  target: string | URL,
  allow: AllowList = configuredAllowList(),
): string | undefined {
  const url = typeof target === "string" ? URL.parse(target) : target;
  if (!url) return "must be an absolute URL such as https://example.com/hook";
  if (url.href.length > URL_MAX) return `must have ${URL_MAX} characters at most`;
  if (url.protocol !== "https:" && url.protocol !== "http:") return "must begin with https:// or http://";
  if (url.username || url.password) return "must not hold a user or a password";
  const host = hostOf(url);
  // What is admitted by the operator is so at any port.
  if (allow.admitsName(host)) return undefined;
  const addresses = isIP(host) ? [host] : LOCALHOST.test(host) ? ["127.0.0.1", "::1"] : [];
  if (addresses.some((address) => allow.admitsAddress(address))) return undefined;
  if (!addresses.every((address) => allow.admits(host, address))) {
    return "must not lead to an address that is not public";
  }
  const port = portOf(url);
  const odd = port < 1024 ? port !== 80 && port !== 443 : OTHERS.has(port);
  return odd ? "must not name a port that is not for web servers" : undefined;
}

/** A URL that requests may go to, in a task's input: what is wrong with it is found at `POST`. */
export const target = z.string().superRefine((text, context) => {
  const flaw = targetFlaw(text);
  if (flaw) context.addIssue({ code: "custom", message: flaw, params: { problem: "target-not-allowed" } });
});
