/**
 * Secrets of the operator's that a task names and does not hold: `{"secret": "NAME"}` stands for the variable
 * `PREFIX_NAME` of the service's environment.
 */
import { z } from "zod";

export const secretName = z.string().max(64)
  .regex(/^[A-Z][A-Z0-9_]*$/, "must be a name such as GITHUB_TOKEN");

/** The variables with this prefix that are set, for a type's permissions. */
export function secretsIn(env: Readonly<Record<string, string | undefined>>, prefix: string): string[] {
  return Object.keys(env).filter((name) =>
    name.startsWith(prefix) && secretName.safeParse(name.slice(prefix.length)).success && env[name]
  );
}

/** A process that may not know a variable cannot tell whether it is set. */
export function mayRead(variable: string): boolean {
  return Deno.permissions.querySync({ name: "env", variable }).state === "granted";
}

export function secretOf(variable: string): string | undefined {
  return mayRead(variable) ? Deno.env.get(variable) || undefined : undefined;
}
