import { numberOf } from "./cell.ts";
import { type Cell, Json } from "./table.ts";

export type Rows = AsyncIterable<readonly (readonly Cell[])[]>;
const utf8 = new TextEncoder();
/** What formulas begin with, or would if the cell were split once more. */
const FORMULA = new Set([..."=+-@\t\r\n"].map((character) => character.charCodeAt(0)));

/**
 * A text that a spreadsheet would take for a formula, which could call home or start programs, gets an apostrophe in
 * front: OWASP, "CSV Injection". A number stays one, as `-1` is no formula.
 */
export function unformulated(text: string): string {
  return FORMULA.has(text.charCodeAt(0)) && numberOf(text) === undefined ? `'${text}` : text;
}

export interface DelimitedOutput {
  delimiter: string;
  /** Whether to begin with a byte order mark, by which Excel knows UTF-8. */
  bom: boolean;
}

/** RFC 4180. */
export async function* delimitedBytes(
  columns: readonly string[],
  rows: Rows,
  { delimiter, bom }: DelimitedOutput,
): AsyncGenerator<Uint8Array> {
  const special = new RegExp(`["\\r\\n${delimiter}]`);
  const field = (cell: Cell): string => {
    if (cell === undefined || cell === null) return "";
    if (typeof cell !== "string" && !(cell instanceof Json)) return String(cell);
    const text = unformulated(cell instanceof Json ? cell.text : cell);
    return special.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const line = (row: readonly Cell[]) => {
    let text = "";
    for (let i = 0; i < row.length; i++) text += i === 0 ? field(row[i]) : delimiter + field(row[i]);
    // By itself it would be no row, but an empty line.
    return `${row.length === 1 && text === "" ? '""' : text}\r\n`;
  };
  yield utf8.encode((bom ? "\ufeff" : "") + line(columns));
  for await (const batch of rows) {
    let text = "";
    for (const row of batch) text += line(row);
    yield utf8.encode(text);
  }
}

/** An array of objects, or a line for each. What is not there at all is left out. */
export async function* jsonBytes(
  columns: readonly string[],
  rows: Rows,
  lines: boolean,
): AsyncGenerator<Uint8Array> {
  const keys = columns.map((column) => `${JSON.stringify(column)}:`);
  const object = (row: readonly Cell[]) => {
    let text = "";
    for (let i = 0; i < row.length; i++) {
      const cell = row[i];
      if (cell === undefined) continue;
      text += (text && ",") + keys[i] + (cell instanceof Json ? cell.text : JSON.stringify(cell));
    }
    return `{${text}}`;
  };
  let separator = lines ? "" : "[\n";
  for await (const batch of rows) {
    let text = "";
    for (const row of batch) {
      text += separator + object(row);
      separator = lines ? "\n" : ",\n";
    }
    yield utf8.encode(text);
  }
  // `separator` has not changed where there was no row.
  yield utf8.encode(lines ? (separator === "" ? "" : "\n") : separator === "[\n" ? "[]\n" : "\n]\n");
}
