/** What a report is: the input of `generate-pdf`. */
import { z } from "zod";
import { type Cell, cellFlaw, format, formatOptions, locale, timeZone } from "./format.ts";

/** Of all tables of a report: 5,000 rows take about 5 s and 400 MB. */
const ROWS_MAX = 5_000;
const CELLS_MAX = 50_000;
const PICTURES_MAX = 100;
const VALUES_MAX = 20_000;
/** Of all texts, lists and cells. Each Chinese character is a word of its own: 400,000 take 12 s and 650 MB. */
const CHARACTERS_MAX = 400_000;
/** What is spent on a paragraph grows with its square. */
const PARAGRAPH_MAX = 20_000;
/** Flaws of cells that are told; whoever has more sends the wrong table. */
const FLAWS_MAX = 20;

const line = (max: number) =>
  z.string().max(max).regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, "must be one line of text");
const name = (max: number) => line(max).trim().min(1);
const text = (max: number) => z.string().max(max);
const align = z.enum(["left", "center", "right"]);

const needsCurrency = {
  check: (value: { format?: string | undefined; currency?: string | undefined }) =>
    value.format !== "currency" || value.currency !== undefined,
  otherwise: { path: ["currency"], error: "is required where the format is currency" },
};

const column = z.strictObject({
  header: line(200),
  /** `right` for numbers, `left` for the rest. */
  align: align.optional(),
  /** Points, as wide as its content (`auto`), or what is left (`fill`). */
  width: z.union([z.enum(["auto", "fill"]), z.number().min(10).max(2_000)]).default("auto"),
  /** `text`: as it is. `percent`: 0.5 is 50 %. */
  format: format.default("text"),
  ...formatOptions,
}).refine(needsCurrency.check, needsCurrency.otherwise);

const cell = z.union(
  [text(10_000), z.number(), z.boolean(), z.null()],
  "must be a text, a number, true, false or null",
);

const table = z.strictObject({
  columns: z.array(column).min(1).max(30),
  rows: z.array(z.array(cell)).max(ROWS_MAX, `must be at most ${ROWS_MAX} rows`),
}).superRefine(({ columns, rows }, context) => {
  let flaws = 0;
  const add = (path: number[], message: string) => {
    flaws++;
    context.addIssue({ code: "custom", path: ["rows", ...path], message });
  };
  for (const [i, row] of rows.entries()) {
    if (row.length !== columns.length) add([i], `must have ${columns.length} cells, one for each column`);
    else {
      row.forEach((cell: Cell, j) => {
        const flaw = cellFlaw(cell, columns[j]!);
        if (flaw !== undefined) add([i, j], flaw);
      });
    }
    if (flaws >= FLAWS_MAX) return;
  }
});

const chart = z.strictObject({
  kind: z.enum(["bar", "line", "pie"]),
  title: line(200).optional(),
  labels: z.array(line(100)).min(1).max(500),
  /** Of a pie there is one. `null` is a gap. */
  series: z.array(z.strictObject({ name: line(100).optional(), values: z.array(z.number().nullable()) }))
    .min(1).max(12),
  /** Series on top of each other. */
  stacked: z.boolean().default(false),
  /** Points. */
  height: z.number().min(100).max(600).default(220),
  /** Of the values. */
  format: z.enum(["number", "currency", "percent"]).default("number"),
  ...formatOptions,
}).refine(needsCurrency.check, needsCurrency.otherwise).superRefine(({ kind, labels, series }, context) => {
  const add = (path: (string | number)[], message: string) =>
    context.addIssue({ code: "custom", path, message });
  if (kind === "pie" && labels.length > 30) add(["labels"], "must be at most 30 for a pie");
  if (kind === "pie" && series.length > 1) add(["series"], "must be one for a pie");
  for (const [i, { values }] of series.entries()) {
    if (values.length !== labels.length) {
      add(["series", i, "values"], `must be ${labels.length}, one for each label`);
    }
    if (kind === "pie" && values.some((value) => value !== null && value < 0)) {
      add(["series", i, "values"], "must not be negative in a pie");
    }
  }
});

const image = z.strictObject({
  /** A PNG or a JPEG. */
  file: z.uuid().toLowerCase(),
  /** Points; as it is at 96 pixels an inch, and never more than the page. */
  width: z.number().min(10).max(2_000).optional(),
  align: align.default("left"),
  caption: line(500).optional(),
});

const section = z.strictObject({
  heading: name(200).optional(),
  /** Empty lines part paragraphs. */
  text: text(100_000).refine(
    (text) => paragraphsOf(text).every(({ length }) => length <= PARAGRAPH_MAX),
    `must have an empty line after ${PARAGRAPH_MAX} characters at most`,
  ).optional(),
  list: z.array(text(5_000)).min(1).max(1_000).optional(),
  table: table.optional(),
  chart: chart.optional(),
  image: image.optional(),
  /** Whether it begins on a new page. */
  pageBreak: z.boolean().default(false),
}).refine(
  ({ pageBreak: _, ...parts }) => Object.values(parts).some((part) => part !== undefined),
  "must have a heading, text, list, table, chart or image",
);

/** At the head or foot of every page: `{{page}}`, `{{pages}}` and `{{title}}` are replaced. */
const margin = z.strictObject({ left: line(200), center: line(200), right: line(200) }).partial();

export const report = z.strictObject({
  title: name(200),
  author: name(200).optional(),
  pageSize: z.enum(["A3", "A4", "A5", "letter", "legal"]).default("A4"),
  orientation: z.enum(["portrait", "landscape"]).default("portrait"),
  /** How numbers and dates are written. */
  locale: locale.default("en"),
  /** Of the times in `date` and `datetime` columns. */
  timeZone: timeZone.default("UTC"),
  header: margin.default({}),
  footer: margin.default({ right: "{{page}} / {{pages}}" }),
  sections: z.array(section).min(1).max(500),
}).superRefine(({ sections }, context) => {
  const tally = (what: string, most: number) => {
    let sum = 0;
    return (more: number, path: (string | number)[]) => {
      const full = sum > most;
      sum += more;
      if (full || sum <= most) return;
      const message = `makes ${sum} ${what}, and a report may have ${most}`;
      context.addIssue({ code: "custom", path: ["sections", ...path], message });
    };
  };
  const rows = tally("table rows", ROWS_MAX);
  const cells = tally("table cells", CELLS_MAX);
  const values = tally("chart values", VALUES_MAX);
  const pictures = tally("charts and images", PICTURES_MAX);
  const characters = tally("characters", CHARACTERS_MAX);
  for (const [i, { text = "", list = [], table, chart, image }] of sections.entries()) {
    characters(text.length, [i, "text"]);
    characters(list.reduce((sum, { length }) => sum + length, 0), [i, "list"]);
    if (table) {
      const ofCells = table.rows.flat().reduce<number>((sum, cell) => sum + String(cell ?? "").length, 0);
      characters(ofCells, [i, "table", "rows"]);
      rows(table.rows.length, [i, "table", "rows"]);
      cells(table.rows.length * table.columns.length, [i, "table", "rows"]);
    }
    if (chart) {
      pictures(1, [i, "chart"]);
      values(chart.series.length * chart.labels.length, [i, "chart", "series"]);
    }
    if (image) pictures(1, [i, "image"]);
  }
});

/** Empty lines part them. */
export function paragraphsOf(text: string): string[] {
  return text.split(/\r?\n(?:[ \t]*\r?\n)+/).filter((paragraph) => paragraph.trim() !== "");
}

export type Report = z.output<typeof report>;
export type Section = Report["sections"][number];
export type Table = NonNullable<Section["table"]>;
export type Chart = NonNullable<Section["chart"]>;
export type Image = NonNullable<Section["image"]>;
