const MESSAGE_MAX = 2_000;
const STACK_MAX = 8_000;
const SHORTEST_SECRET = 4;
const PATH = /(?:file:\/\/)?(?:\/[\w.@+~-]+){2,}/g;

/** Takes out of texts what a client must not see. */
export interface Scrub {
  /** For clients: no secrets, no paths, one size. */
  message(text: string): string;
  /** For the operator: no secrets. */
  stack(text: string): string;
}

/** @param values the values of the environment variables that this type may read */
export function createScrub(values: readonly (string | undefined)[]): Scrub {
  const secrets = [...new Set(values.flatMap(partsOf))].sort((a, b) => b.length - a.length);
  const redact = (text: string) => secrets.reduce((t, secret) => t.replaceAll(secret, "[redacted]"), text);
  return {
    message: (text) => redact(text).slice(0, MESSAGE_MAX).replace(PATH, "[path]"),
    stack: (text) => redact(text).slice(0, STACK_MAX),
  };
}

/** A secret by itself, and where it is a URL the password in it, encoded and not. */
function partsOf(value: string | undefined): string[] {
  if (!value || value.length < SHORTEST_SECRET) return [];
  const parts = [value];
  const url = URL.parse(value);
  if (url?.password) {
    parts.push(url.password);
    try {
      parts.push(decodeURIComponent(url.password));
    } catch { /* Not percent-encoded after all. */ }
  }
  return parts.filter((part) => part.length >= SHORTEST_SECRET);
}
