import { readDelimited } from "./delimited.ts";
import { type Format, formatOf } from "./formats.ts";
import { jsonItems, jsonLines } from "./json.ts";
import { recordsTable } from "./records.ts";
import type { Source } from "./source.ts";
import type { Table } from "./table.ts";
import { isEncoding, textOf } from "./text.ts";
import { readWorkbook } from "./workbook.ts";

export interface ReadOptions {
  delimiter?: string | undefined;
  encoding?: string | undefined;
  header: boolean;
  sheet?: string | undefined;
}

/**
 * @param from its format, where its name and content type do not tell
 * @param names the columns that are needed, where it is not all of them
 * @throws {TaskFailure} `unsupported_format`, `invalid_input`, and those of the source
 */
export async function openTable(
  source: Source,
  from: Format | undefined,
  options: ReadOptions,
  names: readonly string[] | undefined,
): Promise<Table> {
  const format = from ?? formatOf(source.name, source.contentType);
  const text = () => textOf(source.bytes, options.encoding ?? charsetOf(source.contentType));
  switch (format) {
    case "csv":
      return await readDelimited(text(), options);
    case "tsv":
      return await readDelimited(text(), { ...options, delimiter: "\t" });
    case "json":
      return await recordsTable(jsonItems(text()), names);
    case "ndjson":
      return await recordsTable(jsonLines(text()), names);
    case "xlsx":
      return await readWorkbook(source.bytes, options);
  }
}

/** What `text/csv; charset=iso-8859-1` says. */
function charsetOf(contentType: string | undefined): string | undefined {
  const label = /;\s*charset\s*=\s*"?([^\s";,]+)/i.exec(contentType ?? "")?.[1];
  return label !== undefined && isEncoding(label) ? label : undefined;
}
