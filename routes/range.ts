import type { Range } from "../queue/files/files.ts";

/**
 * What of `size` bytes a `Range` header asks for (RFC 9110, 14.2): all where it is absent, of another unit, malformed,
 * or names several ranges, which a server may ignore.
 */
export function rangeIn(header: string | undefined, size: number): Range | "all" | "unsatisfiable" {
  const [, first, last] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? "") ?? [];
  if (first === undefined || last === undefined || first + last === "") return "all";
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length > 0 ? { from: size - length, to: size - 1 } : "unsatisfiable";
  }
  const from = Number(first);
  if (last !== "" && Number(last) < from) return "all";
  if (from >= size) return "unsatisfiable";
  return { from, to: last === "" ? size - 1 : Math.min(Number(last), size - 1) };
}
