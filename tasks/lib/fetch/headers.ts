import { z } from "zod";
import { secretReference } from "./secrets.ts";

const VALUE_MAX = 8_192;
const COUNT_MAX = 50;

/** Names that say that a value is a credential, whoever made them up: `Authorization`, `X-Api-Key`, `Set-Cookie` … */
const SENSITIVE =
  /(?:^|[-_])(?:auth|authori[sz]ation|cookie2?|tokens?|secrets?|passw(?:or)?d|credentials?|session(?:id)?|jwt|api-?key|apikey|key)(?:[-_]|$)/;
const HARMLESS = new Set(["idempotency-key", "access-control-allow-credentials"]);

/** @param name in any case */
export function isSensitive(name: string): boolean {
  const lower = name.toLowerCase();
  return SENSITIVE.test(lower) && !HARMLESS.has(lower);
}

/** They are the connection's own. */
const RESERVED = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const value = z.string().max(VALUE_MAX)
  .regex(/^[\t\x20-\x7e]*$/, "must be one line of ASCII");

/** Request headers by name. What is a secret stands in the operator's environment, and here by name. */
export const requestHeaders = z.record(
  z.string().max(100).regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "must be the name of a header"),
  z.union([value, secretReference], 'must be a text, or {"secret": "NAME"}'),
).superRefine((headers, { addIssue }) => {
  const names = Object.keys(headers);
  const issue = (message: string, path: string[] = []) => addIssue({ code: "custom", message, path });
  if (names.length > COUNT_MAX) issue(`must be ${COUNT_MAX} headers at most`);
  if (new Set(names.map((name) => name.toLowerCase())).size < names.length) {
    issue("must not have names that differ in upper and lower case only");
  }
  for (const [name, value] of Object.entries(headers)) {
    if (RESERVED.has(name.toLowerCase())) issue("is written by Errand and cannot be given", [name]);
    else if (typeof value === "string" && isSensitive(name)) {
      issue('must be {"secret": "NAME"}: a task is stored as it was given', [name]);
    }
  }
});
export type RequestHeaders = z.output<typeof requestHeaders>;

/** An answer's headers, as results have them: without those that are credentials. */
export function shownHeaders(headers: Headers, hide: (text: string) => string): Record<string, string> {
  // No prototype: a header may be called anything.
  const shown: Record<string, string> = Object.create(null);
  for (const [name, value] of headers) if (!isSensitive(name)) shown[name] = hide(value);
  return { ...shown };
}
