import { CODE, type Failed } from "./messages.ts";
import type { Scrub } from "./scrub.ts";

const DETAILS_MAX = 4_000;

/** A thrown thing in words, whatever it is: null, a Proxy, an Error whose getters throw. */
export function told(error: unknown, scrub: Scrub): { message: string; stack: string } {
  try {
    const message = error instanceof Error ? `${error.message}` : `${error}`;
    const stack = error instanceof Error ? `${error.stack}` : message;
    return { message: scrub.message(message), stack: scrub.stack(stack) };
  } catch {
    return { message: "Something was thrown that cannot be described.", stack: "" };
  }
}

/** What an error says of itself beside its message; nothing where reading it throws, as with a hostile proxy. */
export function described(error: unknown, scrub: Scrub): Partial<Failed> {
  try {
    if (error instanceof Deno.errors.NotCapable) return { code: "permission_denied", retryable: false };
    const { name, code, retryable, retryAfter, details } = error as Failed & { name: string };
    if (!(error instanceof Error) || (name !== "TaskFailure" && name !== "NonRetryableError")) return {};
    return {
      ...(CODE.test(code) && { code }),
      retryable: Boolean(retryable),
      ...(Number.isFinite(retryAfter) && { retryAfter }),
      details: plain(details, scrub),
    };
  } catch {
    return {};
  }
}

/** As JSON has it and clients may see it; `undefined` where that cannot be, or is too much. */
function plain(details: unknown, scrub: Scrub): Record<string, unknown> | undefined {
  try {
    const text = JSON.stringify(
      details,
      (_, value) => typeof value === "string" ? scrub.message(value) : value,
    );
    const value = text.length > DETAILS_MAX ? undefined : JSON.parse(text);
    return typeof value === "object" && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The first thing that a schema finds wrong, in words. */
export function first(issues: readonly { path: PropertyKey[]; message: string }[], scrub: Scrub): string {
  const issue = issues[0];
  return issue
    ? scrub.message(`${issue.path.map(String).join(".") || "value"}: ${issue.message}`)
    : "invalid";
}
