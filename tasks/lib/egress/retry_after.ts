/**
 * Milliseconds that an answer asks to be left alone for: `Retry-After` in seconds or as a date (RFC 9110, section
 * 10.2.3). `undefined` where it does not say.
 */
export function retryAfterOf(headers: Headers, now: number = Date.now()): number | undefined {
  const text = headers.get("retry-after")?.trim() ?? "";
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : /\D/.test(text) ? Date.parse(text) - now : NaN;
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}
