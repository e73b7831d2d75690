import { TaskFailure } from "../failure.ts";
import { COLUMNS_MAX, distinctNames, Fault, type Row, ROW_MAX, type Table } from "./table.ts";

const QUOTE = '"';
const QUOTE_CODE = 34;
const DELIMITERS = [",", ";", "\t", "|"] as const;
/** Where in a row the last character was. `closing`: at a quote within quotes, which may be the first of two. */
type Place = "between" | "plain" | "quoted" | "closing" | "closed";

/**
 * Reads delimited text, RFC 4180, piece by piece, each character once: no piece, whole or not, is looked at twice, so
 * that no text takes more time than its length. Lines end with LF, CRLF or CR; empty ones are nothing. A quote inside
 * of a cell that does not begin with one is itself.
 */
export class DelimitedParser {
  #rows: (string[] | Fault)[] = [];
  #row: string[] = [];
  /** What earlier pieces had of the cell that goes on. */
  #held = "";
  #place: Place = "between";
  /** Whether the row has a cell in quotes: one that is all empty is no empty line then. */
  #quoted = false;
  #fault: Fault | undefined;
  /** Whether an LF would belong to the CR before it. */
  #afterCr = false;
  /** Characters that the row has in earlier pieces. */
  #length = 0;

  constructor(readonly delimiter: string) {}

  /** @throws {TaskFailure} `invalid_input` where a row has no end */
  push(text: string): (string[] | Fault)[] {
    let at = this.#afterCr && text[0] === "\n" ? 1 : 0;
    if (text.length > 0) this.#afterCr = false;
    let rowAt = 0;
    const find = (what: string) => {
      const found = text.indexOf(what, at);
      return found < 0 ? text.length : found;
    };
    let [delimiter, lf, cr] = [-1, -1, -1];
    while (at < text.length) {
      if (this.#place === "quoted") {
        const end = find(QUOTE);
        this.#held += text.slice(at, end);
        if (end < text.length) this.#place = "closing";
        at = end + 1;
        continue;
      }
      if (this.#place === "closing") {
        const another = text.charCodeAt(at) === QUOTE_CODE;
        if (another) {
          this.#held += QUOTE;
          at++;
        }
        this.#place = another ? "quoted" : "closed";
        continue;
      }
      if (this.#place === "between") {
        this.#place = text.charCodeAt(at) === QUOTE_CODE ? "quoted" : "plain";
        if (this.#place === "quoted") {
          this.#quoted = true;
          at++;
          continue;
        }
      }
      if (delimiter < at) delimiter = find(this.delimiter);
      if (lf < at) lf = find("\n");
      if (cr < at) cr = find("\r");
      const end = Math.min(delimiter, lf, cr);
      this.#take(text.slice(at, end));
      at = end + 1;
      if (end === text.length) break;
      this.#endCell();
      if (end === delimiter) continue;
      this.#endRow();
      if (end === cr && at < text.length && text[at] === "\n") at++;
      else if (end === cr) this.#afterCr = at === text.length;
      rowAt = at;
    }
    this.#length = rowAt > 0 ? text.length - rowAt : this.#length + text.length;
    if (this.#length > ROW_MAX) {
      const message =
        `A row has more than ${ROW_MAX} characters: is a quote not closed, or this no such file?`;
      throw new TaskFailure("invalid_input", message);
    }
    return this.#taken();
  }

  end(): (string[] | Fault)[] {
    if (this.#place === "quoted") this.#fault ??= new Fault("has a quoted cell that does not end");
    if (this.#row.length > 0 || this.#place !== "between") {
      this.#endCell();
      this.#endRow();
    }
    return this.#taken();
  }

  #take(part: string): void {
    if (this.#place === "plain") this.#held += part;
    else if (part.trim() !== "") this.#fault ??= new Fault("has text behind the end of a quoted cell");
  }

  #endCell(): void {
    this.#row.push(this.#held);
    this.#held = "";
    this.#place = "between";
  }

  #endRow(): void {
    const empty = this.#row.length === 1 && this.#row[0] === "" && !this.#quoted;
    if (!empty) this.#rows.push(this.#fault ?? this.#row);
    this.#row = [];
    this.#fault = undefined;
    this.#quoted = false;
  }

  #taken(): (string[] | Fault)[] {
    const rows = this.#rows;
    this.#rows = [];
    return rows;
  }
}

export interface DelimitedOptions {
  /** Found out where it is not said. */
  delimiter?: string | undefined;
  /** Whether the first row names the columns. */
  header: boolean;
}

/** @throws {TaskFailure} `invalid_input` where there is no header, or too wide a one */
export async function readDelimited(
  text: AsyncIterable<string>,
  { delimiter, header }: DelimitedOptions,
): Promise<Table> {
  const batches = parsed(text, delimiter);
  const first = (await batches.next()).value ?? [];
  const top = first[0];
  if (top instanceof Fault) throw new TaskFailure("invalid_input", `The first row ${top.message}.`);
  if (top === undefined && header) {
    throw new TaskFailure("invalid_input", "The file is empty: not even a header.");
  }
  const width = top?.length ?? 0;
  if (width > COLUMNS_MAX) {
    throw new TaskFailure("invalid_input", `The file has more than ${COLUMNS_MAX} columns.`);
  }
  return {
    columns: distinctNames(header ? top! : Array<string>(width).fill("")),
    batches: even(header ? first.slice(1) : first, batches, width),
  };
}

async function* parsed(
  text: AsyncIterable<string>,
  delimiter?: string,
): AsyncGenerator<(string[] | Fault)[]> {
  let parser: DelimitedParser | undefined;
  for await (const piece of text) {
    if (piece === "") continue;
    parser ??= new DelimitedParser(delimiter ?? delimiterOf(piece));
    const rows = parser.push(piece);
    if (rows.length > 0) yield rows;
  }
  if (parser) yield parser.end();
}

/** Rows that have as many cells as the first. */
async function* even(
  first: (string[] | Fault)[],
  others: AsyncGenerator<(string[] | Fault)[]>,
  width: number,
): AsyncGenerator<Row[]> {
  const check = (row: string[] | Fault) =>
    row instanceof Fault || row.length === width
      ? row
      : new Fault(`has ${row.length} cells, and not ${width}`);
  yield first.map(check);
  for await (const rows of others) yield rows.map(check);
}

/** The one that the first line has most of, outside of quotes. */
function delimiterOf(text: string): string {
  const [line = ""] = /^(?:"[^"]*"?|[^"\r\n])*/.exec(text.slice(0, 10_000)) ?? [];
  const plain = line.replace(/"[^"]*"?/g, "");
  let best = { delimiter: ",", count: 0 };
  for (const delimiter of DELIMITERS) {
    const count = plain.split(delimiter).length - 1;
    if (count > best.count) best = { delimiter, count };
  }
  return best.delimiter;
}
