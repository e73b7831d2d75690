import type { Format } from "./formats.ts";
import type { Cell, Fault } from "./table.ts";
import { sheetFault, workbookBytes } from "./workbook.ts";
import { delimitedBytes, type DelimitedOutput, jsonBytes, type Rows } from "./write.ts";

/** @throws {TaskFailure} `result_too_large` for more than a workbook may have */
export function output(
  format: Format,
  columns: readonly string[],
  rows: Rows,
  options: DelimitedOutput,
): AsyncIterable<Uint8Array> {
  switch (format) {
    case "csv":
      return delimitedBytes(columns, rows, options);
    case "tsv":
      return delimitedBytes(columns, rows, { ...options, delimiter: "\t" });
    case "json":
      return jsonBytes(columns, rows, false);
    case "ndjson":
      return jsonBytes(columns, rows, true);
    case "xlsx":
      return workbookBytes(columns, rows);
  }
}

/** What is wrong with a row that is to be written. */
export function misfit(
  format: Format | undefined,
  row: readonly Cell[],
  columns: readonly string[],
): Fault | undefined {
  return format === "xlsx" ? sheetFault(row, columns) : undefined;
}
