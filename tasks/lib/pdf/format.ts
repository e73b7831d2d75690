/** How the numbers and dates of a report are written, by its locale. */
import { z } from "zod";

/** What a value of a column, or of a chart's axis, is. */
export const format = z.enum(["text", "number", "currency", "percent", "date", "datetime"]);

/** Beside `format`, wherever one is chosen. */
export const formatOptions = {
  /** ISO 4217, such as `EUR`; for `currency`. */
  currency: z.string().regex(/^[A-Z]{3}$/, "must be a currency such as EUR").optional(),
  /** Digits behind the decimal sign; as the language and the currency have it. */
  decimals: z.int().min(0).max(10).optional(),
};

export interface Format {
  readonly format?: z.output<typeof format> | undefined;
  readonly currency?: string | undefined;
  readonly decimals?: number | undefined;
}

export interface Place {
  /** BCP 47. */
  readonly locale: string;
  readonly timeZone: string;
}

export type Cell = string | number | boolean | null;

/** As `Intl.NumberFormat` reads it, exactly: a text keeps what a double would lose. */
const NUMBER = /^-?\d{1,30}(?:\.\d{1,30})?$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Written from the right, so that decimal signs stand below each other. */
export function isNumeric({ format = "text" }: Format): boolean {
  return format === "number" || format === "currency" || format === "percent";
}

/** Why a cell cannot be written in its column's format; `undefined` where it can. */
export function cellFlaw(cell: Cell, column: Format): string | undefined {
  if (cell === null || cell === "") return undefined;
  if (isNumeric(column)) {
    const fits = typeof cell === "number" || (typeof cell === "string" && NUMBER.test(cell));
    return fits ? undefined : "must be a number, or a text such as 12.50";
  }
  if (column.format === "date") {
    const fits = typeof cell === "string" && (DATE.test(cell) || DATE_TIME.test(cell)) && isTime(cell);
    return fits ? undefined : "must be a date such as 2030-01-31";
  }
  if (column.format === "datetime") {
    const fits = typeof cell === "string" && DATE_TIME.test(cell) && isTime(cell);
    return fits ? undefined : "must be a time such as 2030-01-31T12:00:00Z";
  }
  return undefined;
}

function isTime(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
}

/** What writes the cells of a column. They have no flaw. */
export function writer(column: Format, place: Place): (cell: Cell) => string {
  const write = writerOf(column, place);
  return (cell) => cell === null || cell === "" ? "" : write(cell);
}

function writerOf(column: Format, { locale, timeZone }: Place): (cell: string | number | boolean) => string {
  const { format = "text", currency, decimals } = column;
  const digits = decimals === undefined
    ? {}
    : { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  switch (format) {
    case "number":
      return number(locale, digits);
    case "currency":
      return number(locale, { style: "currency", currency, ...digits });
    case "percent":
      return number(locale, { style: "percent", maximumFractionDigits: 1, ...digits });
    case "date": {
      const [days, times] = ["UTC", timeZone].map((timeZone) =>
        new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone })
      ) as [Intl.DateTimeFormat, Intl.DateTimeFormat];
      // A date alone is that day everywhere.
      return (cell) => (DATE.test(String(cell)) ? days : times).format(new Date(String(cell)));
    }
    case "datetime": {
      const { format } = new Intl.DateTimeFormat(locale, {
        dateStyle: "medium",
        timeStyle: "short",
        timeZone,
      });
      return (cell) => format(new Date(String(cell)));
    }
    case "text":
      return (cell) => cell === true ? "✓" : cell === false ? "–" : String(cell);
  }
}

function number(locale: string, options: Intl.NumberFormatOptions): (cell: unknown) => string {
  const { format } = new Intl.NumberFormat(locale, options);
  // A text that is a number is formatted exactly; the check has seen that it is one.
  return (cell) => format(cell as Intl.StringNumericLiteral);
}

/** For the schema: a language, and a time zone, that this runtime knows. */
export const locale = z.string().max(50).refine((text) => {
  try {
    return Intl.NumberFormat.supportedLocalesOf(text).length > 0;
  } catch {
    return false;
  }
}, "must be a language such as de or en-GB");

export const timeZone = z.string().max(50).refine((text) => {
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return true;
  } catch {
    return false;
  }
}, "must be a time zone such as Europe/Berlin");
