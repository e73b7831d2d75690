import { z } from "zod";
import { Fault } from "./table.ts";

/** Rows that are named one by one. */
const NAMED_MAX = 100;

export const skipped = z.strictObject({
  /** The first of the rows that could not be used: of the file's rows it is the `row`th, the header not counted. */
  skipped: z.array(z.strictObject({ row: z.int(), message: z.string() })),
  /** How many there are. */
  skippedCount: z.int(),
});

/** Counts rows, and remembers what was wrong with some. */
export class Skipped {
  count = 0;
  #row = 0;
  readonly #first: { row: number; message: string }[] = [];

  /** The file's next row: whether there is something wrong with it. */
  next(row: unknown): void {
    this.#row++;
    if (!(row instanceof Fault)) return;
    this.count++;
    if (this.#first.length < NAMED_MAX) this.#first.push({ row: this.#row, message: row.message });
  }

  get view(): z.output<typeof skipped> {
    return { skipped: this.#first, skippedCount: this.count };
  }
}
