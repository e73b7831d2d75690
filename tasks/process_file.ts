import { z } from "zod";
import { contentTypeOf, FORMATS, renamed } from "./lib/table/formats.ts";
import { openSource } from "./lib/table/source.ts";
import { columns, conditions, namesIn, shapeOf } from "./lib/table/shape.ts";
import { Skipped, skipped } from "./lib/table/skipped.ts";
import { Summary, summary } from "./lib/table/summary.ts";
import { isEncoding } from "./lib/table/text.ts";
import { type Cell, Fault } from "./lib/table/table.ts";
import { defineTask, target } from "./mod.ts";

export default defineTask({
  description: "Converts, filters and summarizes a table: CSV, TSV, JSON, NDJSON or XLSX.",
  input: z.strictObject({
    file: z.uuid().optional(),
    url: target.optional(),
    /** Where its name and content type do not say it. */
    from: z.enum(FORMATS).optional(),
    /** What to make of it; may be left out where `summarize` is asked for. */
    to: z.enum(FORMATS).optional(),
    columns: columns.optional(),
    filter: conditions.optional(),
    summarize: z.boolean().default(false),
    /** How the file is to be read. */
    read: z.strictObject({
      delimiter: z.enum([",", ";", "\t", "|"]).optional(),
      /** For files without a byte order mark. */
      encoding: z.string().max(40).refine(isEncoding, 'must be an encoding, such as "windows-1252"')
        .optional(),
      /** Whether its first row names the columns. */
      header: z.boolean().default(true),
      /** Of a workbook; the first one. */
      sheet: z.string().max(31).optional(),
    }).prefault({}),
    /** How CSV is to be written. */
    write: z.strictObject({
      delimiter: z.enum([",", ";", "|"]).default(","),
      bom: z.boolean().default(false),
    }).prefault({}),
  }).refine(({ file, url }) => (file === undefined) !== (url === undefined), {
    path: ["file"],
    message: "must be given, or else url",
  }).refine(({ to, summarize }) => to !== undefined || summarize, {
    path: ["to"],
    message: "must be given, where summarize is not true",
  }).meta({
    examples: [{
      file: "01980a3f-2b5c-7c3e-9d4f-5a6b7c8d9e0f",
      to: "json",
      columns: ["country", { name: "Amount", as: "amount", type: "number" }],
      filter: [{ column: "country", is: ["DE", "FR"] }],
      summarize: true,
    }],
  }),
  result: z.strictObject({
    /** Absent where only a summary was asked for. */
    file: z.uuid().optional(),
    /** That are in the file, or in the summary. */
    rows: z.int(),
    ...skipped.shape,
    summary: summary.optional(),
  }),
  permissions: { net: true },
  files: true,
  isolation: "process",
  // Text is streamed; the largest workbooks take about 700.
  memory: 1_024,
  timeout: "10m",
  maxAttempts: 3,
  async run({ file, url, from, to, read, write, ...wanted }, { files, signal, progress, log }) {
    // The API process, which reads no tables, is spared what reads them.
    const [{ openTable }, { misfit, output }] = await Promise.all([
      import("./lib/table/open.ts"),
      import("./lib/table/output.ts"),
    ]);
    const source = await openSource(file === undefined ? { url: url! } : { file }, files, signal);
    try {
      const table = await openTable(source, from, read, namesIn(wanted.columns, wanted.filter));
      const shape = shapeOf(table, wanted.columns, wanted.filter);
      const skipped = new Skipped();
      const summary = wanted.summarize ? new Summary(shape.columns) : undefined;
      let rows = 0;
      const shaped = async function* () {
        for await (const batch of table.batches) {
          signal.throwIfAborted();
          const kept: Cell[][] = [];
          for (const row of batch) {
            let cells = row instanceof Fault ? row : shape.apply(row);
            if (Array.isArray(cells)) cells = misfit(to, cells, shape.columns) ?? cells;
            skipped.next(cells);
            if (cells === undefined || cells instanceof Fault) continue;
            summary?.add(cells);
            kept.push(cells);
          }
          rows += kept.length;
          yield kept;
          progress(source.read, source.size, `${rows} rows`);
        }
      };
      let made: string | undefined;
      if (to === undefined) { for await (const _ of shaped()); }
      else {
        const about = { name: renamed(source.name, to), contentType: contentTypeOf(to) };
        made = (await files.write(output(to, shape.columns, shaped(), write), about)).file;
      }
      if (skipped.count > 0) log.warn(`${skipped.count} rows were skipped.`);
      return {
        ...(made && { file: made }),
        rows,
        ...skipped.view,
        ...(summary && { summary: summary.view }),
      };
    } finally {
      await source.close();
    }
  },
});
