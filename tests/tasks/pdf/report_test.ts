import assert from "node:assert/strict";
import { report } from "../../../tasks/lib/pdf/report.ts";

const with_ = (...sections: unknown[]) => ({ title: "x", sections });
const table = (columns: unknown[], ...rows: unknown[][]) => with_({ table: { columns, rows } });
const chart = (more: Record<string, unknown>) =>
  with_({ chart: { kind: "bar", labels: ["a", "b"], series: [{ values: [1, 2] }], ...more } });
const long = "x".repeat(20_001);

for (
  const [what, input, path, message] of [
    ["a title that is empty", { title: " ", sections: [{ text: "x" }] }, "title", /1 char/],
    ["a title of two lines", { title: "a\nb", sections: [{ text: "x" }] }, "title", /one line/],
    ["no sections", with_(), "sections", /1 item/],
    ["a section without anything", with_({ pageBreak: true }), "sections.0", /must have a heading/],
    ["a field that nobody knows", with_({ text: "x", html: "<b>" }), "sections.0", /html/],
    ["a language that is none", { ...with_({ text: "x" }), locale: "not a language" }, "locale", /language/],
    ["a time zone that is none", { ...with_({ text: "x" }), timeZone: "Mars/Phobos" }, "timeZone", /Europe/],
    [
      "a row that is too short",
      table([{ header: "A" }, { header: "B" }], ["a", "b"], ["a"]),
      "sections.0.table.rows.1",
      /2 cells/,
    ],
    [
      "a text where a number must be",
      table([{ header: "A", format: "number" }], ["1"], ["one"]),
      "sections.0.table.rows.1.0",
      /12\.50/,
    ],
    [
      "a number that is none in any language",
      table([{ header: "A", format: "percent" }], ["1,5"]),
      "sections.0.table.rows.0.0",
      /number/,
    ],
    [
      "a number in another notation",
      table([{ header: "A", format: "number" }], ["0x10"]),
      "sections.0.table.rows.0.0",
      /number/,
    ],
    [
      "a day that is not in the calendar",
      table([{ header: "A", format: "date" }], ["2030-13-01"]),
      "sections.0.table.rows.0.0",
      /date/,
    ],
    [
      "a time without its zone",
      table([{ header: "A", format: "datetime" }], ["2030-01-01T12:00"]),
      "sections.0.table.rows.0.0",
      /time/,
    ],
    [
      "a currency that is not named",
      table([{ header: "A", format: "currency" }], [1]),
      "sections.0.table.columns.0.currency",
      /required/,
    ],
    [
      "a currency that is none",
      table([{ header: "A", format: "currency", currency: "euro" }], [1]),
      "sections.0.table.columns.0.currency",
      /EUR/,
    ],
    [
      "an object in a cell",
      table([{ header: "A" }], [{ text: "x" }]),
      "sections.0.table.rows.0.0",
      /text, a number/,
    ],
    ["a table without columns", table([]), "sections.0.table.columns", /1 item/],
    [
      "values without labels",
      chart({ labels: ["a"] }),
      "sections.0.chart.series.0.values",
      /1, one for each/,
    ],
    [
      "a pie of two series",
      chart({ kind: "pie", series: [{ values: [1, 2] }, { values: [1, 2] }] }),
      "sections.0.chart.series",
      /one for a pie/,
    ],
    [
      "a pie that is less than nothing",
      chart({ kind: "pie", series: [{ values: [1, -2] }] }),
      "sections.0.chart.series.0.values",
      /negative/,
    ],
    [
      "an image that is no id",
      with_({ image: { file: "https://example.com/x.png" } }),
      "sections.0.image.file",
      /UUID/,
    ],
    [
      "a paragraph without end",
      with_({ text: "short" }, { text: `${long}\n\nshort` }),
      "sections.1.text",
      /empty line/,
    ],
    [
      "more text than can be laid out",
      with_(...Array.from({ length: 5 }, () => ({ text: Array(9).fill("x".repeat(10_000)).join("\n\n") }))),
      "sections.4.text",
      /450080 characters/,
    ],
    [
      "more cells than can be laid out",
      table(Array(30).fill({ header: "A" }), ...Array.from({ length: 1_700 }, () => Array(30).fill(1))),
      "sections.0.table.rows",
      /51000 table cells/,
    ],
    [
      "more rows than can be laid out",
      table([{ header: "A" }], ...Array.from({ length: 5_001 }, () => [1])),
      "sections.0.table.rows",
      /5000 rows/,
    ],
    [
      "more charts than anybody looks at",
      with_(...Array.from({ length: 101 }, () => chart({}).sections[0])),
      "sections.100.chart",
      /101 charts/,
    ],
  ] as const
) {
  Deno.test(`a report with ${what} is refused, naming the place`, () => {
    const { error } = report.safeParse(input);
    const issue = error?.issues[0];
    assert.equal(issue?.path.join("."), path);
    assert.match(issue!.message + JSON.stringify(issue), message);
  });
}

Deno.test("a wrong table names some of its flaws, not thousands", () => {
  const rows = Array.from({ length: 2_000 }, () => ["no number"]);
  const { error } = report.safeParse(table([{ header: "A", format: "number" }], ...rows));
  assert.equal(error?.issues.length, 20);
});
