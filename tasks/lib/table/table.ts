/** A table on its way from one format to another: never more of it in memory than a batch of rows. */

/** Characters of one row, as it stands in its file: what is longer is no row, but another format or an attack. */
export const ROW_MAX = 2 ** 20;
export const COLUMNS_MAX = 1_000;
const NAME_MAX = 200;

/** What is wrong with one row: it is skipped, and the others are not. */
export class Fault {
  constructor(readonly message: string) {}
}

/** A list or an object in a cell, as the JSON that it is. */
export class Json {
  constructor(readonly text: string) {}
}

/** A cell. Delimited text has texts only; nothing at all is `undefined`. */
export type Cell = string | number | boolean | null | undefined | Json;
export type Row = readonly Cell[] | Fault;

export interface Table {
  readonly columns: readonly string[];
  readonly batches: AsyncIterable<readonly Row[]>;
}

/** Names that differ: a second `a` is `a (2)`, a name that is missing is `column 3`. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((given, index) => {
    const name = given.trim().slice(0, NAME_MAX) || `column ${index + 1}`;
    let distinct = name;
    for (let i = 2; taken.has(distinct); i++) distinct = `${name} (${i})`;
    taken.add(distinct);
    return distinct;
  });
}

/** A text for a message: one line, and not long. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 50 ? `${text.slice(0, 50)}…` : text);
}
