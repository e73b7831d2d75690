import assert from "node:assert/strict";
import fc from "fast-check";
import sharp from "sharp";
import definition from "../../tasks/generate_pdf.ts";
import { upload } from "../files.ts";
import { Service, type TaskView } from "../service.ts";
import { contextFor, perform } from "./context.ts";
import { making } from "./making.ts";
import { example } from "./pdf/example.ts";
import { assertLooksLike } from "./pictures.ts";
import { pngOf } from "./pngs.ts";
import { pdfimages, pdfinfo, pdftoppm, pdftotext, words } from "./poppler.ts";

interface Made {
  file: string;
  pages: number;
  bytes: number;
}

const DRAWING = new TextEncoder().encode(
  `<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200"><rect width="400" height="200" fill="#dbeafe"/>
  <rect x="20" y="20" width="80" height="80" fill="#dc2626"/><circle cx="340" cy="100" r="40" fill="#ca8a04"/></svg>`,
);
const picture = () => sharp(DRAWING);

/** Uploaded; answers its id. */
async function stored(service: Service, bytes: Uint8Array): Promise<string> {
  return (await upload(service, new Uint8Array(bytes))).id;
}

/** The task's PDF, where other programs can read it. */
async function fetched(service: Service, task: TaskView): Promise<Made & { path: string }> {
  assert.equal(task.status, "succeeded", JSON.stringify(task.error));
  const made = task.result as Made;
  const answer = await fetch(`${service.url}/v1/files/${made.file}`);
  assert.equal(answer.headers.get("content-type"), "application/pdf");
  const path = `${service.dataDir}/${made.file}.pdf`;
  Deno.writeFileSync(path, await answer.bytes());
  assert.equal(Deno.statSync(path).size, made.bytes);
  return { ...made, path };
}

const rows = (count: number) => Array.from({ length: count }, (_, i) => [`Row ${i + 1}`, i * 12.5]);
const columns = [{ header: "Name", width: "fill" }, {
  header: "Amount",
  format: "currency",
  currency: "USD",
}];

Deno.test("reports, made by the service and read by other programs", async (t) => {
  await using service = await Service.start({ JSON_NODES_MAX: "100000" });
  const make = async (input: Record<string, unknown>) =>
    await fetched(service, await service.run("generate-pdf", { title: "Report", ...input }));
  const fails = async (code: string, message: RegExp, input: Record<string, unknown>) => {
    const { error } = await service.run("generate-pdf", { title: "Report", ...input });
    assert.deepEqual([error?.code, error?.retryable], [code, false], JSON.stringify(error));
    assert.match(error!.message, message);
  };
  const image = await stored(service, await picture().png().toBuffer());

  await t.step("a report says what it was given, in every script", async () => {
    const { path, pages } = await make(example(image.toUpperCase()));
    const info = await pdfinfo(path);
    assert.equal(info.Title, "Quarterly report · 季度报告 😀");
    assert.equal(info.Author, "Ada Lovelace & Grace Hopper");
    assert.equal(Number(info.Pages), pages);
    assert.match(info["Page size"]!, /A4/);
    const text = (await pdftotext(path)).replaceAll(/\s+/g, " ").replace(" / ", "/");
    for (
      const part of [
        "naïve façade, Ελληνικά, Кириллица, Tiếng Việt",
        "第二段：任务在后台运行，可以随时查询状态。日本語のテキストも。",
        "👩‍👩‍👧",
        "✓ → ★",
        "第三点 🎉",
        "€99,999,999,999,999,999.99",
        "1,234,567.891",
        "12.3%",
        "Feb 28, 2030",
        "Q2 中文",
        "South 南",
        "Search & <rest>: 1,548",
        "A square, and a circle",
        `1/${pages}`,
        "confidential",
      ]
    ) assert.ok(text.includes(part), `${part} in ${text}`);
  });
  await t.step("its pages look as they did when somebody looked at them", async () => {
    const { path, pages } = await make(example(image));
    for (let page = 1; page <= pages; page++) {
      await assertLooksLike(`report-${page}`, await pdftoppm(path, page));
    }
  });
  await t.step("numbers stand below each other, at the right", async () => {
    const { path } = await make({ sections: [{ table: { columns, rows: rows(20) } }] });
    const amounts = (await words(path)).filter(({ text }) => /^\$\d/.test(text));
    assert.equal(amounts.length, 20);
    for (const { right } of amounts) assert.ok(Math.abs(right - amounts[0]!.right) < 0.5);
  });
  await t.step("a long table repeats its header on every page, and every page has its number", async () => {
    const { path, pages } = await make({
      sections: [{ heading: "All", table: { columns, rows: rows(1_000) } }],
    });
    assert.ok(pages > 10);
    const all = await words(path);
    for (let page = 1; page <= pages; page++) {
      const here = all.filter((word) => word.page === page);
      assert.equal(here.filter(({ text }) => text === "Amount").length, 1, `the header of page ${page}`);
      assert.equal(here.slice(-3).map(({ text }) => text).join(" "), `${page} / ${pages}`);
    }
    const numbers = all.filter(({ text }, i) => all[i - 1]?.text === "Row" && /^\d+$/.test(text));
    assert.deepEqual(numbers.map(({ text }) => Number(text)), rows(1_000).map((_, i) => i + 1));
  });
  await t.step("a heading does not stay behind at the foot of a page", async () => {
    const sections = Array.from({ length: 60 }, (_, i) => ({
      heading: `Heading${i}`,
      table: { columns, rows: rows(1 + i % 7) },
    }));
    const all = await words((await make({ sections })).path);
    for (const [i, { text, page }] of all.entries()) {
      if (text.startsWith("Heading")) assert.equal(all[i + 4]?.page, page, text);
    }
  });
  await t.step("a word that is wider than the page is broken, and nothing is beyond the margin", async () => {
    const { path } = await make({
      pageSize: "A5",
      sections: [
        { heading: "H".repeat(200), text: "x".repeat(1_000), list: ["y".repeat(500)] },
        {
          table: {
            columns: [{ header: "C".repeat(150) }, { header: "B", format: "number" }, { header: "D" }],
            rows: [["w".repeat(2_000), 123456789, "word ".repeat(1_000)], ["中".repeat(900), 1, null], [
              null,
              null,
              "z\n".repeat(150),
            ]],
          },
        },
      ],
    });
    const all = await words(path);
    const count = (letter: string) => all.reduce((sum, { text }) => sum + text.split(letter).length - 1, 0);
    assert.deepEqual(
      [count("H"), count("x"), count("y"), count("中"), count("wo"), count("z")],
      [200, 1_000, 500, 900, 1_000, 150],
    );
    for (const { right, text } of all) assert.ok(right < 419.53 - 46, `${text} ends at ${right}`);
  });
  await t.step("what looks like a command is a text", async () => {
    const hostile =
      "<script>app.alert(1)</script> {{page}} data:text/html,x http://127.0.0.1/ ${1} &amp; ]]> <tspan>";
    const { path } = await make({
      title: hostile,
      footer: { left: "{{nothing}} {{pages}}" },
      sections: [
        { heading: hostile, text: hostile, list: [hostile] },
        { table: { columns: [{ header: hostile }], rows: [[hostile]] } },
        {
          chart: { kind: "pie", title: hostile, labels: [hostile.slice(0, 80)], series: [{ values: [1] }] },
        },
        {
          chart: {
            kind: "bar",
            labels: [hostile.slice(0, 80)],
            series: [{ name: hostile.slice(0, 90), values: [1] }],
          },
        },
      ],
    });
    const text = (await pdftotext(path)).replaceAll(/\s+/g, " ");
    assert.ok(text.split("{{page}}").length > 5);
    assert.ok(text.includes("{{nothing}} "));
    const info = await pdfinfo(path);
    assert.deepEqual([info.JavaScript, info.Form], ["no", "none"]);
    // What a PDF could do is written in clear in it.
    const bytes = new TextDecoder("latin1").decode(Deno.readFileSync(path));
    assert.doesNotMatch(
      bytes,
      /\/(?:JS|JavaScript|URI|Launch|OpenAction|AA|EmbeddedFile|GoToR|SubmitForm|RichMedia)\b/,
    );
  });
  await t.step("PNGs and JPEGs of all kinds are part of it", async () => {
    const kinds = [
      picture().png({ palette: true }),
      picture().png({ progressive: true }),
      picture().flatten().toColourspace("b-w").png(),
      picture().ensureAlpha(0.5).png(),
      picture().flatten().jpeg(),
      picture().flatten().jpeg({ progressive: true }).withMetadata({ orientation: 6 }),
    ];
    const sections = await Promise.all(
      kinds.map(async (kind) => ({
        image: { file: await stored(service, await kind.toBuffer()), width: 100 },
      })),
    );
    const { path } = await make({ sections: [...sections, sections[0]] });
    assert.equal((await pdfimages(path)).filter((type) => type === "image").length, sections.length + 1);
  });
  await t.step("what is no such image is refused, and so is a bomb", async () => {
    const with_ = async (bytes: Uint8Array) => ({
      sections: [{ image: { file: await stored(service, bytes) } }],
    });
    await fails("unsupported_format", /PNG or a JPEG/, await with_(DRAWING));
    await fails("unsupported_format", /PNG or a JPEG/, await with_(await picture().webp().toBuffer()));
    const png = await picture().png().toBuffer();
    const zeros = new Uint8Array(100 << 20);
    await fails("invalid_input", /broken/, await with_(png.subarray(0, png.length / 2)));
    await fails("invalid_input", /broken/, await with_(png.subarray(0, 20)));
    const jpeg = await picture().flatten().jpeg().toBuffer();
    await fails("invalid_input", /broken/, await with_(jpeg.subarray(0, 100)));
    await fails("invalid_input", /50000 × 50000/, await with_(pngOf(50_000, 50_000, zeros)));
    await fails("invalid_input", /broken/, await with_(pngOf(10, 10, zeros)));
  });
  await t.step("a table that does not fit on the page is refused, naming it", async () => {
    const wide = Array.from({ length: 30 }, (_, i) => ({ header: `Column${i}`, format: "number" }));
    const table = { columns: wide, rows: [wide.map(() => 12345.67)] };
    await fails("invalid_input", /30 columns of sections\[1\]\.table do not fit/, {
      sections: [{ text: "x" }, { table }],
    });
    const { path } = await make({ pageSize: "A3", orientation: "landscape", sections: [{ table }] });
    assert.match((await pdfinfo(path))["Page size"]!, /A3/);
    for (const { right } of await words(path)) assert.ok(right < 1190.55 - 46);
  });
  await t.step("values that no chart can show are refused, naming it", async () => {
    await fails("invalid_input", /sections\[0\]\.chart cannot be drawn/, {
      sections: [{ chart: { kind: "bar", labels: ["a"], series: [{ values: [1.5e-323] }] } }],
    });
  });
  await t.step("too many rows are refused at once, naming them", async () => {
    const answer = await service.call("POST", "/v1/tasks", {
      type: "generate-pdf",
      input: {
        title: "x",
        sections: [{ table: { columns, rows: rows(3_000) } }, { table: { columns, rows: rows(2_001) } }],
      },
    });
    const { code, errors } = await answer.json();
    assert.deepEqual([answer.status, code], [422, "validation-failed"]);
    assert.deepEqual(errors, [{
      pointer: "#/input/sections/1/table/rows",
      detail: "makes 5001 table rows, and a report may have 5000",
    }]);
  });
  await t.step("characters that no font has are told", async () => {
    const task = await service.run("generate-pdf", { title: "x", sections: [{ text: "한국 שלום" }] });
    assert.equal(task.status, "succeeded");
    const [{ level, message }] = await service.logs(task.id) as [{ level: string; message: string }];
    assert.equal(level, "warn");
    assert.match(message, /한 국 ש ל ו ם/);
  });
  await t.step("it can be cancelled while it is busy, and the next one is made", async () => {
    const input = { title: "x", sections: [{ table: { columns, rows: rows(5_000) } }] };
    const id = await service.submit("generate-pdf", input);
    await service.reached(id, "running");
    await service.cancel(id);
    assert.equal((await service.final(id)).status, "cancelled");
    await make({ sections: [{ text: "next" }] });
  });
});

Deno.test("whatever text a report has, a PDF comes of it", async () => {
  const setup = await definition.setup!({ signal: new AbortController().signal });
  const text = fc.string({ unit: "binary", maxLength: 60 });
  const line = text.map((text) => text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ").trim() || "-");
  const value = fc.maxSafeInteger().map((value) => value / 1_000);
  const chart = fc.record({
    kind: fc.constantFrom("bar", "line", "pie"),
    labels: fc.array(line, { minLength: 1, maxLength: 5 }),
    value,
    name: line,
  }).map(({ kind, labels, value, name }) => ({
    kind,
    labels,
    series: [{ name, values: labels.map(() => kind === "pie" ? Math.abs(value) : value) }],
  }));
  const section = fc.record({
    heading: line,
    text,
    list: fc.array(text, { minLength: 1, maxLength: 3 }),
    table: fc.record({
      columns: fc.constant([{ header: "A" }, { header: "B", format: "number" }]),
      rows: fc.array(fc.tuple(text, value), { maxLength: 5 }),
    }),
    chart,
  }, { requiredKeys: ["heading"] });
  const arbitrary = fc.record({
    title: line,
    author: line,
    sections: fc.array(section, { minLength: 1, maxLength: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(arbitrary, (input) =>
      making(async (files) => {
        const made = await perform(definition, input, contextFor({ files, setup })) as Made;
        assert.ok(made.pages >= 1 && made.bytes > 1_000);
      }, 2 ** 24)),
    { numRuns: 40 },
  );
});
