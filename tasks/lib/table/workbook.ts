/** XLSX, which is read and written as a whole: so it is bounded by its size, and by the number of its cells. */
import type { CellObject, WorkSheet } from "@e965/xlsx";
import { TaskFailure } from "../failure.ts";
import { type Cell, COLUMNS_MAX, distinctNames, Fault, Json, quoted, type Row, type Table } from "./table.ts";
import { type Rows, unformulated } from "./write.ts";
import { unzipped } from "./zip.ts";

/** Bytes of a file that is read. */
export const WORKBOOK_MAX = 16 * 2 ** 20;
/** Of what is in it. */
const UNPACKED = { entries: 1_000, bytes: 64 * 2 ** 20 };
/** Of a file that is written. */
export const CELLS_MAX = 500_000;
/** Excel's own limits: "Excel specifications and limits". */
const ROWS_MAX = 1_048_576;
const TEXT_MAX = 32_767;
/** Rows that are handed on at once. */
const BATCH = 1_000;
/** What spreadsheets are made of: pictures and macros are left out. */
const PARTS =
  /^(?:\[Content_Types\]\.xml|_rels\/.*|xl\/[^/]*\.xml|xl\/_rels\/.*|xl\/worksheets\/[^/]*\.xml)$/;

export interface SheetOptions {
  /** Its name; the first one otherwise. */
  sheet?: string | undefined;
  /** Whether the first row names the columns. */
  header: boolean;
}

/** @throws {TaskFailure} `invalid_input`, or `unsupported_format` for other spreadsheets */
export async function readWorkbook(
  bytes: AsyncIterable<Uint8Array>,
  { sheet, header }: SheetOptions,
): Promise<Table> {
  const xlsx = await import("@e965/xlsx");
  const parts = partsOf(await whole(bytes));
  const book = parsed(() => {
    const container = xlsx.CFB.utils.cfb_new();
    for (const [name, content] of parts) xlsx.CFB.utils.cfb_add(container, name, content, { unsafe: true });
    return xlsx.read(xlsx.CFB.write(container, { fileType: "zip", type: "array" }), {
      type: "array",
      dense: true,
      // Of one sheet no more is read than there may be.
      sheets: sheet ?? 0,
      cellFormula: false,
      cellHTML: false,
      cellText: false,
      cellDates: true,
      UTC: true,
    });
  });
  const name = sheet ?? book.SheetNames[0] ?? "";
  const data = Object.hasOwn(book.Sheets, name) ? book.Sheets[name] : undefined;
  if (!data) {
    const names = book.SheetNames.slice(0, 20).map(quoted).join(", ");
    throw new TaskFailure("invalid_input", `There is no sheet ${quoted(name)}; there is ${names}.`);
  }
  return tableOf(data, header);
}

/** SheetJS would inflate whatever claims to be small. */
function partsOf(bytes: Uint8Array): Map<string, Uint8Array> {
  const parts = unzipped(bytes, UNPACKED);
  if (!parts.has("xl/workbook.xml")) {
    throw new TaskFailure("unsupported_format", "The file is no XLSX workbook.");
  }
  return new Map([...parts].filter(([name]) => PARTS.test(name)));
}

function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new TaskFailure("invalid_input", "The workbook could not be read.", { cause });
  }
}

function tableOf(sheet: WorkSheet, header: boolean): Table {
  const rows: (CellObject | undefined)[][] = (sheet as { "!data"?: CellObject[][] })["!data"] ?? [];
  if (rows.length > ROWS_MAX) {
    throw new TaskFailure("invalid_input", `The sheet has more than ${ROWS_MAX} rows.`);
  }
  const filled = rows.filter((row) => row?.some((cell) => cell?.v !== undefined));
  const width = filled.reduce((most, row) => Math.max(most, row.length), 0);
  if (width > COLUMNS_MAX) {
    throw new TaskFailure("invalid_input", `The sheet has more than ${COLUMNS_MAX} columns.`);
  }
  const names = Array.from({ length: width }, (_, i) => header ? nameIn(filled[0]?.[i]) : "");
  const columns = distinctNames(names);
  return {
    columns,
    batches: (async function* () {
      for (let at = header ? 1 : 0; at < filled.length; at += BATCH) {
        yield filled.slice(at, at + BATCH).map((row) => rowOf(row, columns));
      }
    })(),
  };
}

function nameIn(cell: CellObject | undefined): string {
  const value = cell && cellOf(cell);
  return value === undefined || value === null ? "" : String(value);
}

function rowOf(row: readonly (CellObject | undefined)[], columns: readonly string[]): Row {
  const cells = Array<Cell>(columns.length).fill(null);
  for (let i = 0; i < columns.length; i++) {
    const cell = row[i];
    if (cell?.t === "e") return new Fault(`has the error of a formula in ${quoted(columns[i]!)}`);
    if (cell) cells[i] = cellOf(cell);
  }
  return cells;
}

/** Of a formula it is what Excel had worked out. */
function cellOf({ v }: CellObject): Cell {
  if (!(v instanceof Date)) return v ?? null;
  if (Number.isNaN(v.valueOf())) return null;
  // A sheet has days and times, without a zone.
  return v.toISOString().replace("T00:00:00.000Z", "").replace(/(?:\.000)?Z$/, "");
}

async function whole(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of bytes) {
    length += piece.length;
    if (length > WORKBOOK_MAX) {
      const message =
        `A workbook may have ${WORKBOOK_MAX} bytes at most: save it as CSV, which may have more.`;
      throw new TaskFailure("invalid_input", message);
    }
    pieces.push(piece);
  }
  return new Uint8Array(await new Blob(pieces as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

/** What is wrong with a row that is to go into a sheet. */
export function sheetFault(row: readonly Cell[], columns: readonly string[]): Fault | undefined {
  const at = row.findIndex((cell) => (cell instanceof Json ? cell.text : `${cell}`).length >= TEXT_MAX);
  return at < 0
    ? undefined
    : new Fault(`has more in ${quoted(columns[at]!)} than a cell of a sheet may have`);
}

/** @throws {TaskFailure} `result_too_large` */
export async function* workbookBytes(
  columns: readonly string[],
  rows: Rows,
): AsyncGenerator<Uint8Array> {
  const data: CellObject[][] = [columns.map(sheetCell)];
  for await (const batch of rows) {
    for (const row of batch) data.push(row.map(sheetCell));
    if (data.length * columns.length > CELLS_MAX || data.length > ROWS_MAX) {
      const message = `A workbook may have ${CELLS_MAX} cells at most: as CSV it may have more.`;
      throw new TaskFailure("result_too_large", message);
    }
  }
  const xlsx = await import("@e965/xlsx");
  const sheet = xlsx.utils.aoa_to_sheet(data, { dense: true });
  const book = xlsx.utils.book_new(sheet, "Table");
  yield new Uint8Array(xlsx.write(book, { type: "array", bookType: "xlsx", compression: true }));
}

function sheetCell(cell: Cell): CellObject {
  if (cell === undefined || cell === null || cell === "") return { t: "z" };
  if (typeof cell === "number") return { t: "n", v: cell };
  if (typeof cell === "boolean") return { t: "b", v: cell };
  return { t: "s", v: unformulated(cell instanceof Json ? cell.text : cell) };
}
