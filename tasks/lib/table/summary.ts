import { z } from "zod";
import { dateOf, isEmpty, numberOf, textOfCell } from "./cell.ts";
import { Distinct } from "./distinct.ts";
import { type Cell, Json } from "./table.ts";

/** Hashes that the columns of a table may keep, all together. */
const HASHES_MAX = 400_000;
const HASHES_EACH = 50_000;
const TEXT_MAX = 100;
/** `007` is no number: it would not come back. */
const LEADING_ZERO = /^[+-]?0\d|^\+/;
const BOOLEAN = /^(?:true|false)$/i;

export const summary = z.strictObject({
  columns: z.array(z.strictObject({
    name: z.string(),
    /** What all its cells are, or are the texts of. */
    type: z.enum(["integer", "number", "boolean", "date", "text", "json", "empty"]),
    /** Cells that are empty. */
    nulls: z.int(),
    distinct: z.int(),
    /** Where `distinct` is an estimate. */
    estimated: z.literal(true).optional(),
    /** Of numbers, or of texts in the order of their characters. */
    min: z.union([z.number(), z.string()]).optional(),
    max: z.union([z.number(), z.string()]).optional(),
    /** Of numbers. */
    mean: z.number().optional(),
  })),
});
type ColumnView = z.output<typeof summary>["columns"][number];

export class Summary {
  readonly #columns: Column[];

  constructor(columns: readonly string[]) {
    const kept = Math.min(HASHES_EACH, Math.floor(HASHES_MAX / Math.max(1, columns.length)));
    this.#columns = columns.map((name) => new Column(name, kept));
  }

  add(row: readonly Cell[]): void {
    for (let i = 0; i < row.length; i++) this.#columns[i]!.add(row[i]);
  }

  get view(): z.output<typeof summary> {
    return { columns: this.#columns.map((column) => column.view) };
  }
}

class Column {
  readonly #distinct: Distinct;
  #nulls = 0;
  #filled = 0;
  /** What they may all be, until one is not. */
  readonly #may = { integer: true, number: true, boolean: true, date: true, json: true };
  #least = Infinity;
  #most = -Infinity;
  #sum = 0;
  #first: string | undefined;
  #last: string | undefined;

  constructor(readonly name: string, kept: number) {
    this.#distinct = new Distinct(kept);
  }

  add(cell: Cell): void {
    if (isEmpty(cell)) {
      this.#nulls++;
      return;
    }
    this.#filled++;
    const text = textOfCell(cell);
    this.#distinct.add(text);
    this.#order(text);
    const may = this.#may;
    if (may.number) this.#count(numberOf(cell), text);
    if (may.boolean) may.boolean = typeof cell === "boolean" || BOOLEAN.test(text);
    if (may.date) may.date = dateOf(cell) !== undefined;
    if (may.json) may.json = cell instanceof Json;
  }

  #count(number: number | undefined, text: string): void {
    if (number === undefined || LEADING_ZERO.test(text)) {
      this.#may.number = this.#may.integer = false;
      return;
    }
    this.#may.integer &&= Number.isInteger(number);
    this.#least = Math.min(this.#least, number);
    this.#most = Math.max(this.#most, number);
    this.#sum += number;
  }

  #order(text: string): void {
    if (this.#first === undefined || text < this.#first) this.#first = short(text);
    if (this.#last === undefined || text > this.#last) this.#last = short(text);
  }

  get view(): ColumnView {
    const may = this.#may;
    const type = this.#filled === 0
      ? "empty"
      : (["integer", "number", "boolean", "date", "json"] as const).find((type) => may[type]) ?? "text";
    const { count, exact } = this.#distinct;
    return {
      name: short(this.name),
      type,
      nulls: this.#nulls,
      distinct: count,
      ...(!exact && { estimated: true as const }),
      ...(may.number && this.#filled > 0 && {
        min: this.#least,
        max: this.#most,
        mean: this.#sum / this.#filled,
      }),
      ...((type === "date" || type === "text") && { min: this.#first, max: this.#last }),
    };
  }
}

/** A copy: a part of a text keeps all of it in memory. */
function short(text: string): string {
  return Array.from(text.slice(0, TEXT_MAX)).join("");
}
