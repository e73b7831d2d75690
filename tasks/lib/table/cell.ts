/** What cells are, or are the texts of. */
import { type Cell, Json } from "./table.ts";

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const DATE = /^\d{4}-\d\d-\d\d(?=$|T)/;

/** The number that a cell is, or is the text of. */
export function numberOf(cell: Cell): number | undefined {
  if (typeof cell === "number") return cell;
  if (typeof cell !== "string") return undefined;
  const text = cell.trim();
  const number = NUMBER.test(text) ? Number(text) : NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** The day of `2026-02-28`, or of a time on it; `undefined` for the 30th. */
export function dateOf(cell: Cell): string | undefined {
  const text = typeof cell === "string" ? cell.trim() : "";
  const day = DATE.exec(text)?.[0];
  if (day === undefined || Number.isNaN(Date.parse(text))) return undefined;
  return new Date(day).toISOString().startsWith(day) ? day : undefined;
}

export const isEmpty = (cell: Cell): boolean => cell === undefined || cell === null || cell === "";

export function textOfCell(cell: Cell): string {
  return isEmpty(cell) ? "" : cell instanceof Json ? cell.text : String(cell);
}
