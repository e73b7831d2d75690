import { TaskFailure } from "../failure.ts";
import { Fault, ROW_MAX } from "./table.ts";

const tooLong = () => new TaskFailure("invalid_input", `A row has more than ${ROW_MAX} characters.`);
const SPACE = /[^\t\n\r ]/;
/** What matters outside of strings, and inside. */
const STRUCTURE = /["[\]{},]/g;
const STRING = /["\\]/g;

/**
 * Cuts a JSON array into the texts of its items, piece by piece. What is between two commas is an item, be it JSON or
 * not: its reader finds out.
 */
export class JsonItems {
  #place: "before" | "items" | "after" = "before";
  #depth = 0;
  #inString = false;
  /** Whether the next character is an escaped one. */
  #escaped = false;
  #held = "";
  #count = 0;

  /** @throws {TaskFailure} `invalid_input` for what is no array, or an item without end */
  push(text: string): string[] {
    const items: string[] = [];
    let at = 0;
    if (this.#place === "before") {
      at = text.search(SPACE);
      if (at < 0) return items;
      if (text[at] !== "[") throw new TaskFailure("invalid_input", "The file is no JSON array of objects.");
      this.#place = "items";
      at++;
    }
    let begin = at;
    if (this.#place === "items" && this.#escaped && at < text.length) {
      this.#escaped = false;
      at++;
    }
    while (this.#place === "items") {
      const next = this.#inString ? STRING : STRUCTURE;
      next.lastIndex = at;
      const found = next.exec(text);
      if (!found) break;
      at = found.index + 1;
      const mark = found[0];
      if (mark === '"') this.#inString = !this.#inString;
      else if (mark === "\\") {
        this.#escaped = at === text.length;
        at++;
      } else if (mark === "[" || mark === "{") this.#depth++;
      else if (mark !== "," && this.#depth > 0) this.#depth--;
      else if (this.#depth === 0) {
        if (mark === "}") throw new TaskFailure("invalid_input", "The file's JSON has a } too many.");
        const item = this.#held + text.slice(begin, at - 1);
        this.#held = "";
        begin = at;
        if (mark !== ",") this.#place = "after";
        // `[]` has no item; `[1,]` has two.
        if (mark === "," || this.#count > 0 || SPACE.test(item)) items.push(item);
        this.#count++;
      }
    }
    if (this.#place === "after" && text.slice(begin).search(SPACE) >= 0) {
      throw new TaskFailure("invalid_input", "The file goes on behind its JSON array.");
    }
    if (this.#place === "items") this.#held += text.slice(begin);
    if (this.#held.length > ROW_MAX) throw tooLong();
    return items;
  }

  /** @throws {TaskFailure} `invalid_input` where the array does not end */
  end(): void {
    if (this.#place === "after") return;
    const message = this.#place === "before"
      ? "The file is empty."
      : "The file ends before its JSON array does.";
    throw new TaskFailure("invalid_input", message);
  }
}

/** The items of a JSON array. */
export async function* jsonItems(text: AsyncIterable<string>): AsyncGenerator<unknown[]> {
  const items = new JsonItems();
  for await (const piece of text) yield items.push(piece).map(parsed);
  items.end();
}

/** Line by line one JSON value; empty lines are nothing. */
export async function* jsonLines(text: AsyncIterable<string>): AsyncGenerator<unknown[]> {
  let held = "";
  const filled = (line: string) => SPACE.test(line);
  for await (const piece of text) {
    const lines = piece.split("\n");
    lines[0] = held + lines[0];
    held = lines.pop()!;
    if (held.length > ROW_MAX) throw tooLong();
    yield lines.filter(filled).map(parsed);
  }
  if (filled(held)) yield [parsed(held)];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return new Fault("is no JSON");
  }
}
