import { z } from "zod";
import type { Draw } from "./lib/pdf/chart.ts";
import type { Fonts } from "./lib/fonts.ts";
import { report } from "./lib/pdf/report.ts";
import type { Picked } from "./lib/pdf/layout.ts";
import type { Node } from "./lib/pdf/text.ts";
import { defineTask, TaskFailure, type TaskFiles } from "./mod.ts";

/** What is loaded once for all reports of a worker. */
interface Press {
  readonly fonts: Fonts;
  readonly draw: Draw;
  readonly print: (document: Node) => Promise<{ bytes: Uint8Array; pages: number }>;
}

export default defineTask({
  description: "Makes a PDF report of texts, tables, charts and images.",
  input: report.meta({
    examples: [{
      title: "Sales",
      sections: [{
        heading: "By month",
        table: {
          columns: [{ header: "Month" }, { header: "Sales", format: "currency", currency: "EUR" }],
          rows: [["January", 1200.5], ["February", 980]],
        },
      }],
    }],
  }),
  result: z.strictObject({
    /** A PDF. */
    file: z.uuid(),
    pages: z.int(),
    bytes: z.int(),
  }),
  // Fonts come with the code; echarts asks for the name.
  permissions: { env: ["NODE_ENV"] },
  files: true,
  isolation: "process",
  // 5,000 rows, the most there may be, take about 400.
  memory: 768,
  timeout: "60s",
  maxAttempts: 3,
  setup: prepare,
  async run(input, { files, signal, progress, log, setup: { fonts, draw, print } }) {
    const { documentOf } = await import("./lib/pdf/layout.ts");
    fonts.missing.clear();
    const ids = input.sections.flatMap(({ image }) => image ? [image.file] : []);
    const pictures = await pick(new Set(ids), files);
    signal.throwIfAborted();
    progress(1, 3, "laying out");
    const document = documentOf(input, { fonts, draw, pictures });
    // Said, before this thread is busy.
    await new Promise((resolve) => setTimeout(resolve));
    const { bytes, pages } = await print(document);
    signal.throwIfAborted();
    progress(2, 3, `${pages} pages`);
    if (fonts.missing.size > 0) {
      log.warn(`No font has these characters: ${[...fonts.missing].slice(0, 50).join(" ")}`);
    }
    const { file } = await files.write(bytes, { name: `${input.title}.pdf`, contentType: "application/pdf" });
    progress(3, 3, `${pages} pages`);
    return { file, pages, bytes: bytes.length };
  },
});

async function prepare(): Promise<Press> {
  const [{ default: pdfmake }, { Fonts, loadFonts }, { loadCharts }] = await Promise.all([
    import("pdfmake"),
    import("./lib/fonts.ts"),
    import("./lib/pdf/chart.ts"),
  ]);
  const { files, fonts: registered, outlines } = await loadFonts();
  for (const [name, bytes] of Object.entries(files)) pdfmake.virtualfs.writeFileSync(name, bytes);
  pdfmake.setFonts(registered);
  // A document names nothing that would have to be fetched, and could not if it did.
  pdfmake.setUrlAccessPolicy(() => false);
  pdfmake.setLocalAccessPolicy(() => false);
  const fonts = new Fonts(outlines);
  return {
    fonts,
    draw: await loadCharts(fonts),
    async print(document) {
      let pages = 0;
      const { footer } = document as { footer?: (page: number, pages: number) => Node };
      const counting = (page: number, count: number) => {
        pages = count;
        return footer?.(page, count) ?? "";
      };
      const bytes = await pdfmake.createPdf({ ...document, footer: counting }).getBuffer();
      return { bytes, pages };
    },
  };
}

/** @throws {TaskFailure} */
async function pick(ids: ReadonlySet<string>, files: TaskFiles): Promise<Map<string, Picked>> {
  const { inspect, PICTURE_BYTES_MAX } = await import("./lib/pdf/picture.ts");
  const pictures = new Map<string, Picked>();
  let total = 0;
  for (const id of ids) {
    const file = await files.open(id);
    total += file.size;
    if (total > PICTURE_BYTES_MAX) {
      throw new TaskFailure("invalid_input", `The images have more than ${PICTURE_BYTES_MAX} bytes in all.`);
    }
    const bytes = await file.bytes();
    const picture = inspect(bytes);
    pictures.set(id, { ...picture, url: `data:${picture.type};base64,${bytes.toBase64()}` });
  }
  return pictures;
}
