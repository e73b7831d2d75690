import { type Flaw, invalid, Problem } from "./problem.ts";
import type { Limits } from "./deps.ts";

/** Names that change a prototype where a handler copies keys carelessly. */
const POISON = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Parses a body. What comes out is bounded in depth and size, holds no key that could pollute a prototype, and
 * no number that JSON could not write again.
 *
 * @throws {Problem}
 */
export function parseJson(text: string, limits: Pick<Limits, "jsonDepth" | "jsonNodes">): unknown {
  const value = readJson(text);
  inspect(value, limits);
  return value;
}

/** Parses a body of which each part is inspected by itself. @throws {Problem} */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("malformed-json", text === "" ? "The body is empty." : undefined);
  }
}

/** @param at where in the body it stands @throws {Problem} */
export function inspect(
  value: unknown,
  limits: Pick<Limits, "jsonDepth" | "jsonNodes">,
  at: readonly PropertyKey[] = [],
): void {
  new Inspection(limits, at).visit(value, 1);
}

class Inspection {
  #nodes = 0;
  /** Names and indexes from the root to the container being visited; as deep as the limit at most. */
  #path: (string | number)[] = [];

  constructor(
    readonly limits: Pick<Limits, "jsonDepth" | "jsonNodes">,
    readonly at: readonly PropertyKey[],
  ) {}

  /** Recursive, and safe to be: it stops at the depth limit. */
  visit(value: unknown, depth: number): void {
    if (++this.#nodes > this.limits.jsonNodes) {
      throw invalid(pointer(this.at), `must hold at most ${this.limits.jsonNodes} values`);
    }
    if (typeof value === "number" && !Number.isFinite(value)) {
      throw invalid(pointer([...this.at, ...this.#path]), "must be a number that fits a double");
    }
    if (typeof value !== "object" || value === null) return;
    if (depth > this.limits.jsonDepth) {
      throw new Problem("payload-too-deep", `At most ${this.limits.jsonDepth} levels are read.`);
    }
    const level = depth - 1;
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        this.#path[level] = i;
        this.visit(value[i], depth + 1);
      }
    } else {
      for (const key in value) {
        this.#path[level] = key;
        if (POISON.has(key)) throw invalid(pointer([...this.at, ...this.#path]), "must not have this name");
        this.visit((value as Record<string, unknown>)[key], depth + 1);
      }
    }
    this.#path.length = level;
  }
}

/** RFC 6901, as a URI fragment. Ends early before a name too long to repeat: nobody is served by an echo of it. */
export function pointer(path: readonly PropertyKey[]): string {
  let text = "#";
  for (const segment of path) {
    const name = String(segment);
    if (name.length > 256) break;
    // Lone surrogates are legal in JSON but have no UTF-8 form.
    text += "/" + encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1").toWellFormed());
  }
  return text;
}

const MAX_FLAWS = 50;
const MAX_DETAIL = 300;

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string;
  readonly keys?: readonly string[];
  /** Of `invalid_key`: what is wrong with the key. */
  readonly issues?: readonly { readonly message: string }[];
}

/** What a schema found, as problem details. @param base where in the body the schema was applied */
export function flawsOf(issues: readonly Issue[], base: readonly PropertyKey[] = []): Flaw[] {
  const flaws: Flaw[] = [];
  for (const issue of issues) {
    if (flaws.length >= MAX_FLAWS) break;
    const path = [...base, ...issue.path];
    if (issue.code === "unrecognized_keys" && issue.keys) {
      for (const key of issue.keys.slice(0, MAX_FLAWS - flaws.length)) {
        flaws.push({ pointer: pointer([...path, key]), detail: "is not a known field" });
      }
    } else {
      const inner = issue.code === "invalid_key" ? issue.issues?.[0] : undefined;
      const detail = (inner ?? issue).message.toWellFormed();
      flaws.push({
        pointer: pointer(path),
        detail: detail.length > MAX_DETAIL ? `${detail.slice(0, MAX_DETAIL)}…` : detail,
      });
    }
  }
  return flaws;
}
