import { z } from "zod";
import { TaskFailure } from "../failure.ts";
import { dateOf, isEmpty, numberOf, textOfCell } from "./cell.ts";
import { type Cell, COLUMNS_MAX, Fault, quoted, type Table } from "./table.ts";

const TRUE = /^(?:true|yes|1)$/i;
const FALSE = /^(?:false|no|0)$/i;
const TYPES = ["text", "number", "integer", "boolean", "date"] as const;
type Type = (typeof TYPES)[number];

const name = z.string().min(1).max(200);
const column = z.union([
  name,
  z.strictObject({
    name,
    /** What it is called from here on. */
    as: name.optional(),
    type: z.enum(TYPES).optional(),
  }),
], { error: "must be the name of a column, or {name, as?, type?}" });

/** Those that are wanted, in this order. */
export const columns = z.array(column).min(1).max(COLUMNS_MAX)
  .refine((columns) => {
    const names = columns.map((column) => typeof column === "string" ? column : column.as ?? column.name);
    return new Set(names).size === names.length;
  }, "must not give two columns one name");
type Columns = z.output<typeof columns>;

const scalar = z.union([z.string().max(1_000), z.number(), z.boolean()]);
const scalars = z.union([scalar, z.array(scalar).min(1).max(1_000)]);
const bound = z.union([z.string().max(1_000), z.number()]);

/** All of them must hold. Texts are compared as texts, numbers as numbers. */
export const conditions = z.array(
  z.strictObject({
    column: name,
    is: scalars.optional(),
    not: scalars.optional(),
    contains: z.string().min(1).max(1_000).optional(),
    atLeast: bound.optional(),
    above: bound.optional(),
    atMost: bound.optional(),
    below: bound.optional(),
    empty: z.boolean().optional(),
  }).refine((condition) => Object.values(condition).filter((each) => each !== undefined).length > 1, {
    error: "must say what holds of the column: is, not, contains, atLeast, above, atMost, below or empty",
  }),
).min(1).max(50);
type Condition = z.output<typeof conditions>[number];

/** The columns that are needed, by what they are called in the file; `undefined` for all that there are. */
export function namesIn(
  columns: Columns | undefined,
  filter: readonly Condition[] = [],
): string[] | undefined {
  const picked = columns?.map((column) => typeof column === "string" ? column : column.name);
  return picked && [...new Set([...picked, ...filter.map(({ column }) => column)])];
}

/** What becomes of each row. */
export interface Shape {
  readonly columns: readonly string[];
  /** `undefined` for a row that is not wanted. */
  apply(row: readonly Cell[]): Cell[] | Fault | undefined;
}

/** @throws {TaskFailure} `invalid_input` where a column is named that there is not */
export function shapeOf(
  table: Table,
  columns: Columns | undefined,
  filter: readonly Condition[] = [],
): Shape {
  const places = new Map(table.columns.map((column, index) => [column, index]));
  const placeOf = (name: string) => {
    const place = places.get(name);
    if (place !== undefined) return place;
    const names = table.columns.slice(0, 20).map(quoted).join(", ");
    throw new TaskFailure("invalid_input", `There is no column ${quoted(name)}; there is ${names}.`);
  };
  const tests = filter.map((condition) => ({ place: placeOf(condition.column), holds: testOf(condition) }));
  const picked = (columns ?? table.columns).map((column) => {
    const { name, as = name, type } = typeof column === "string" ? { name: column } : column;
    return { place: placeOf(name), name, as, type };
  });
  return {
    columns: picked.map(({ as }) => as),
    apply(row) {
      if (!tests.every(({ place, holds }) => holds(row[place]))) return undefined;
      const cells = Array<Cell>(picked.length);
      for (let i = 0; i < picked.length; i++) {
        const { place, name, type } = picked[i]!;
        const cell = row[place];
        cells[i] = type === undefined ? cell : converted(cell, type);
        if (cells[i] === undefined && type !== undefined) {
          return new Fault(`has ${quoted(textOfCell(cell))} in ${quoted(name)}, which is no ${type}`);
        }
      }
      return cells;
    },
  };
}

/** `null` for an empty cell, `undefined` for one that is not of that type. */
function converted(cell: Cell, type: Type): Cell {
  const text = textOfCell(cell);
  if (text.trim() === "") return null;
  switch (type) {
    case "text":
      return text;
    case "number":
      return numberOf(cell);
    case "integer": {
      const number = numberOf(cell);
      return Number.isSafeInteger(number) ? number : undefined;
    }
    case "boolean":
      return TRUE.test(text.trim()) ? true : FALSE.test(text.trim()) ? false : undefined;
    case "date":
      return dateOf(cell);
  }
}

function testOf(
  { is, not, contains, atLeast, above, atMost, below, empty }: Condition,
): (cell: Cell) => boolean {
  const tests: ((cell: Cell) => boolean)[] = [];
  const anyOf = (given: z.output<typeof scalars>) => {
    const all = [given].flat().map(equals);
    return (cell: Cell) => all.some((test) => test(cell));
  };
  if (is !== undefined) tests.push(anyOf(is));
  if (not !== undefined) {
    const test = anyOf(not);
    tests.push((cell) => !test(cell));
  }
  if (contains !== undefined) tests.push((cell) => textOfCell(cell).includes(contains));
  if (atLeast !== undefined) tests.push(compares(atLeast, (order) => order >= 0));
  if (above !== undefined) tests.push(compares(above, (order) => order > 0));
  if (atMost !== undefined) tests.push(compares(atMost, (order) => order <= 0));
  if (below !== undefined) tests.push(compares(below, (order) => order < 0));
  if (empty !== undefined) tests.push((cell) => isEmpty(cell) === empty);
  return (cell) => tests.every((test) => test(cell));
}

function equals(value: string | number | boolean): (cell: Cell) => boolean {
  return typeof value === "number"
    ? (cell) => numberOf(cell) === value
    : (cell) => textOfCell(cell) === String(value);
}

/** An empty cell is neither more nor less than anything. */
function compares(value: string | number, holds: (order: number) => boolean): (cell: Cell) => boolean {
  if (typeof value === "number") {
    return (cell) => {
      const number = numberOf(cell);
      return number !== undefined && holds(number - value);
    };
  }
  return (cell) => {
    const text = textOfCell(cell);
    return text !== "" && holds(text < value ? -1 : text > value ? 1 : 0);
  };
}
