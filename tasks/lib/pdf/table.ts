/** The tables of reports: as large as they can be read, and never wider than the page. */
import { TaskFailure } from "../failure.ts";
import type { Fonts } from "../fonts.ts";
import { isNumeric, type Place, writer } from "./format.ts";
import type { Table } from "./report.ts";
import { leaf, LONG_WORD, type Node } from "./text.ts";

/** Points: the first with which the columns fit. */
const SIZES = [9, 8, 7, 6, 5];
const LINE_HEIGHT = 1.4;
/** Between the text and the edge of the page. */
const EDGE = 2;
const INK = { header: "#334155", row: "#e2e8f0" };

type Column = Table["columns"][number];

/** Of a column's texts, for a font of one point. */
interface Widths {
  /** Of its longest text in one line. */
  readonly whole: number;
  /** Of what cannot be broken. */
  readonly least: number;
  /** That it has at most, however narrow the column. */
  readonly lines: number;
}

/** Headers are bold, and that much wider. */
const BOLD = 1.1;

/**
 * @param room what a page has room for, in points
 * @param where in the input it is, for whoever reads that it does not fit
 * @throws {TaskFailure} `invalid_input` where its columns do not fit on the page
 */
export function tableNode(
  { columns, rows }: Table,
  fonts: Fonts,
  place: Place,
  room: { width: number; height: number },
  where: string,
): Node {
  const writers = columns.map((column) => writer(column, place));
  const texts = rows.map((row) => row.map((cell, i) => writers[i]!(cell)));
  const widths = columns.map((column, i) => measure(column, texts.map((row) => row[i]!), fonts));
  const size = SIZES.find((size) =>
    sum(columns, (column, i) => least(column, widths[i]!, size)) <= room.width
  );
  if (size === undefined) {
    const message =
      `The ${columns.length} columns of ${where} do not fit on the page: a wider one, or fewer, would do.`;
    throw new TaskFailure("invalid_input", message);
  }
  const fits = sum(columns, (column, i) => whole(column, widths[i]!, size)) <= room.width;
  const styles = columns.map((column) => ({
    alignment: column.align ?? (isNumeric(column) ? "right" : "left"),
    noWrap: !wraps(column),
  }));
  const head = columns.map(({ header }, i) =>
    leaf(fonts, header, { ...styles[i], noWrap: false, bold: true })
  );
  const body = texts.map((row) => row.map((text, i) => leaf(fonts, text, styles[i])));
  const low = Math.max(...widths.map(({ lines }) => lines)) * size * LINE_HEIGHT < room.height / 2;
  return {
    table: {
      headerRows: 1,
      keepWithHeaderRows: low ? 1 : 0,
      // One that is higher than the page would lose what is beyond it.
      dontBreakRows: low,
      widths: columns.map((column) =>
        column.width === "fill" || (column.width === "auto" && !fits && wraps(column)) ? "*" : column.width
      ),
      body: [head, ...body],
    },
    fontSize: size,
    lineHeight: 1,
    margin: [0, 2, 0, 14],
    layout: {
      hLineWidth: (i: number) => i === 0 ? 0 : i === 1 ? 1 : 0.5,
      hLineColor: (i: number) => i === 1 ? INK.header : INK.row,
      vLineWidth: () => 0,
      paddingLeft: (i: number) => i === 0 ? EDGE : padding(size),
      paddingRight: (i: number) => i === columns.length - 1 ? EDGE : padding(size),
      paddingTop: () => size * 0.45,
      paddingBottom: () => size * 0.35,
    },
  };
}

function measure(column: Column, texts: string[], fonts: Fonts): Widths {
  let [whole, least, breaks] = [0, 0, 0];
  const look = (text: string, wider: number, wrapped: boolean) => {
    const width = fonts.width(text, wider);
    whole = Math.max(whole, width);
    breaks = Math.max(breaks, text.split("\n").length);
    if (!wrapped) least = Math.max(least, width);
    else for (const word of words(text)) least = Math.max(least, fonts.width(word, wider));
  };
  look(column.header, BOLD, true);
  for (const text of texts) look(text, 1, wraps(column));
  return { whole, least, lines: breaks + (wraps(column) ? whole / Math.max(least, 0.1) : 0) };
}

/** Whether lines of it may be broken. Numbers and dates may not, unless a width is given that they must fit in. */
function wraps({ format, width }: Column): boolean {
  return format === "text" || typeof width === "number";
}

/** What of a text stays in one piece. */
function words(text: string): string[] {
  return text.split(/[\s-]+/).map((word) =>
    word.length >= LONG_WORD || /\p{Lo}/u.test(word) ? word.slice(0, 1) : word
  );
}

function least(column: Column, { least }: Widths, size: number): number {
  return 2 * padding(size) + (typeof column.width === "number" ? column.width : least * size);
}

function whole(column: Column, { whole }: Widths, size: number): number {
  return 2 * padding(size) + (typeof column.width === "number" ? column.width : whole * size);
}

function padding(size: number): number {
  return size - 1.5;
}

function sum<Item>(items: readonly Item[], of: (item: Item, i: number) => number): number {
  return items.reduce((all, item, i) => all + of(item, i), 0);
}
