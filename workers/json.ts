/** The result is not JSON: a function, a BigInt, a cycle, a NaN … */
export class NotSerializable extends Error {
  override name = "NotSerializable";
}

/**
 * JSON text of a value, as `JSON.stringify` gives it, but refusing what that would drop or replace in silence.
 * `""` for `undefined`.
 *
 * @throws {NotSerializable}
 */
export function toJson(value: unknown): string {
  if (value === undefined) return "";
  try {
    check(value);
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined) throw new NotSerializable("its toJSON() gives nothing");
    return text;
  } catch (error) {
    if (error instanceof NotSerializable) throw error;
    // A cycle, a throwing getter or toJSON, or nesting beyond the stack.
    throw new NotSerializable(error instanceof Error ? error.message.split("\n")[0]! : "not JSON");
  }
}

function check(root: unknown): void {
  const open: unknown[] = [root];
  const seen = new Set<object>();
  while (open.length > 0) {
    const value = open.pop();
    switch (typeof value) {
      case "function":
      case "symbol":
      case "bigint":
        throw new NotSerializable(`a ${typeof value} is no JSON`);
      case "number":
        if (!Number.isFinite(value)) throw new NotSerializable(`${value} is no JSON`);
        break;
      case "object": {
        if (value === null || "toJSON" in value) break;
        if (!Array.isArray(value) && Object.prototype.toString.call(value) !== "[object Object]") {
          throw new NotSerializable(`${Object.prototype.toString.call(value).slice(8, -1)} is no JSON`);
        }
        // What is met twice is either shared, which JSON may repeat, or a cycle, which stringify reports.
        if (seen.has(value)) break;
        seen.add(value);
        for (const key of Object.keys(value)) open.push((value as Record<string, unknown>)[key]);
      }
    }
  }
}
