import { z } from "zod";

/** A JSON Pointer, RFC 6901: `""` is the whole, `"/items/0/a~1b"` the member `a/b` of the first item. */
export const pointer = z.string().max(1_000)
  .regex(/^(?:\/(?:[^~/]|~[01])*)*$/, 'must be a JSON Pointer (RFC 6901), such as "/items/0/name"');

/** What the pointer points to: RFC 6901, section 4. `undefined` where that is nothing; no JSON value is that. */
export function pointed(value: unknown, pointer: string): unknown {
  for (const part of pointer.split("/").slice(1)) {
    if (typeof value !== "object" || value === null) return undefined;
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    // Of an array its members alone, and without leading zeros; never what an object has inherited.
    if (Array.isArray(value) && !/^(?:0|[1-9]\d*)$/.test(key)) return undefined;
    if (!Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}
