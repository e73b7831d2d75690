import { TaskFailure } from "../failure.ts";

export const FORMATS = ["csv", "tsv", "json", "ndjson", "xlsx"] as const;
export type Format = (typeof FORMATS)[number];

/** The first is what a file of ours has. */
const TYPES: Readonly<Record<Format, readonly string[]>> = {
  csv: ["text/csv; charset=utf-8", "text/csv", "application/csv"],
  tsv: ["text/tab-separated-values; charset=utf-8", "text/tab-separated-values"],
  json: ["application/json"],
  ndjson: ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"],
  xlsx: ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
};
const ENDINGS: Readonly<Record<string, Format>> = {
  csv: "csv",
  tsv: "tsv",
  tab: "tsv",
  json: "json",
  ndjson: "ndjson",
  jsonl: "ndjson",
  xlsx: "xlsx",
};
const ENDING = /\.(\w{1,6})$/;

export const contentTypeOf = (format: Format): string => TYPES[format][0]!;

/** The same name with this format's ending. */
export const renamed = (name: string | undefined, format: Format): string =>
  `${(name ?? "table").replace(ENDING, "")}.${format}`;

/**
 * What a file is, by its name's ending, or else by its content type.
 *
 * @throws {TaskFailure} `unsupported_format`
 */
export function formatOf(name: string | undefined, contentType: string | undefined): Format {
  const ending = ENDING.exec(name ?? "")?.[1]?.toLowerCase() ?? "";
  if (Object.hasOwn(ENDINGS, ending)) return ENDINGS[ending]!;
  const essence = (contentType ?? "").split(";")[0]!.trim().toLowerCase();
  const format = FORMATS.find((format) => TYPES[format].includes(essence));
  if (format) return format;
  const message = `Neither its name nor its content type tells what the file is: say so in \`from\`.`;
  throw new TaskFailure("unsupported_format", message);
}
