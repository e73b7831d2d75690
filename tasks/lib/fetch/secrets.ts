/**
 * Secrets that requests need stand in the operator's environment, and in a task by name: `{"secret": "GITHUB"}` is
 * `FETCH_SECRET_GITHUB`, and goes to the origins in `FETCH_SECRET_GITHUB_ORIGINS` alone, so that no client can have it
 * sent to a server of its own.
 */
import { z } from "zod";
import { TaskFailure } from "../failure.ts";
import { mayRead, secretName, secretOf } from "../web/secrets.ts";

export const FETCH_SECRET = "FETCH_SECRET_";
const ORIGINS = "_ORIGINS";
const HEADER_VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/;

export const secretReference = z.strictObject({
  secret: secretName,
  /** What goes before it: `"Bearer "`. */
  prefix: z.string().max(100).regex(/^[\x20-\x7e]*$/, "must be ASCII on one line").default(""),
});
export type SecretReference = z.output<typeof secretReference>;

/**
 * What forbids that a secret goes to a URL, in words that complete "The header …"; `undefined` where nothing does. A
 * process that may not read the variables leaves it to the runner, which asks again.
 */
export function secretFlaw({ secret }: SecretReference, url: string): string | undefined {
  const variable = FETCH_SECRET + secret;
  return mayRead(variable) && mayRead(variable + ORIGINS) ? flawOf(secret, url) : undefined;
}

/** @throws {TaskFailure} `invalid_input`, without the secret */
export function secretFor({ secret }: SecretReference, url: string): string {
  const value = secretOf(FETCH_SECRET + secret) ?? "";
  const flaw = flawOf(secret, url) ??
    (HEADER_VALUE.test(value) ? undefined : `names a secret that fits no header: ${secret}`);
  if (flaw) throw new TaskFailure("invalid_input", `A header ${flaw}.`);
  return value;
}

function flawOf(secret: string, url: string): string | undefined {
  // A list of origins is a variable like the secrets, and no secret.
  if (secret.endsWith(ORIGINS) || !secretOf(FETCH_SECRET + secret)) return `names no secret: ${secret}`;
  const origins = (secretOf(FETCH_SECRET + secret + ORIGINS) ?? "").split(",").flatMap((entry) =>
    URL.parse(entry.trim())?.origin ?? []
  );
  return origins.includes(URL.parse(url)?.origin ?? "")
    ? undefined
    : `names a secret that may not be sent there: ${secret}`;
}
