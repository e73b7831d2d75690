import assert from "node:assert/strict";
import definition from "../../../tasks/process_file.ts";
import { failing, process } from "./processing.ts";

const CSV =
  "id,name,amount,day,paid\n1,Ada,12.50,2026-02-28,yes\n2,,-3,2026-01-01T10:00:00Z,0\n3,Grace,,,TRUE\n";

async function rowsOf(input: Record<string, unknown>, csv = CSV): Promise<Record<string, unknown>[]> {
  return JSON.parse((await process(csv, { from: "csv", to: "json", ...input })).text);
}

Deno.test("columns are picked, renamed and put in order", async () => {
  const rows = await rowsOf({ columns: ["name", { name: "id", as: "number" }, { name: "id" }] });
  assert.deepEqual(rows[0], { name: "Ada", number: "1", id: "1" });
  assert.deepEqual(Object.keys(rows[0]!), ["name", "number", "id"]);
});

Deno.test("columns get types; an empty cell is null in each", async () => {
  const columns = [
    { name: "id", type: "integer" },
    { name: "name", type: "text" },
    { name: "amount", type: "number" },
    { name: "day", type: "date" },
    { name: "paid", type: "boolean" },
  ];
  assert.deepEqual(await rowsOf({ columns }), [
    { id: 1, name: "Ada", amount: 12.5, day: "2026-02-28", paid: true },
    { id: 2, name: null, amount: -3, day: "2026-01-01", paid: false },
    { id: 3, name: "Grace", amount: null, day: null, paid: true },
  ]);
});

Deno.test("a cell of another type is a fault of its row", async () => {
  const faults: [string, string][] = [
    ["number", "1,5"],
    ["number", "0x10"],
    ["number", "1e999"],
    ["number", "NaN"],
    ["integer", "1.5"],
    ["integer", "9007199254740993"],
    ["boolean", "maybe"],
    ["date", "2026-02-30"],
    ["date", "2026-13-01"],
    ["date", "28.02.2026"],
    ["date", "2026-01-01Tx"],
  ];
  for (const [type, cell] of faults) {
    const columns = [{ name: "x", type }];
    const { rows, skipped } = await process(`x\n""\n"${cell}"\n""\n`, { from: "csv", to: "csv", columns });
    assert.deepEqual([rows, skipped], [2, [{
      row: 2,
      message: `has "${cell}" in "x", which is no ${type}`,
    }]]);
  }
});

const kept = async (filter: unknown, csv = CSV) =>
  (await rowsOf({ filter }, csv)).map(({ id }) => id).join("");

Deno.test("a filter keeps the rows for which all of it holds", async () => {
  const filters: [unknown[], string][] = [
    [[{ column: "name", is: "Ada" }], "1"],
    [[{ column: "name", is: ["Ada", "Grace"] }], "13"],
    [[{ column: "name", not: "Ada" }], "23"],
    [[{ column: "id", is: [1, 3] }], "13"],
    [[{ column: "amount", is: 12.5 }], "1"],
    [[{ column: "amount", is: "12.5" }], ""],
    [[{ column: "amount", above: -3 }], "1"],
    [[{ column: "amount", atLeast: -3 }], "12"],
    [[{ column: "amount", below: 0 }], "2"],
    [[{ column: "amount", atMost: 100, above: 0 }], "1"],
    [[{ column: "day", atLeast: "2026-01", below: "2026-02" }], "2"],
    [[{ column: "name", empty: true }], "2"],
    [[{ column: "name", empty: false }, { column: "amount", empty: false }], "1"],
    [[{ column: "name", contains: "a" }], "13"],
  ];
  for (const [filter, ids] of filters) assert.equal(await kept(filter), ids, JSON.stringify(filter));
});

Deno.test("a filter may go by a column that is not picked, and a row that is not wanted has no faults", async () => {
  const columns = [{ name: "amount", as: "id", type: "number" }];
  const csv = "kind,amount\nnote,x\nsum,7\n";
  const { text, skipped } = await process(csv, {
    from: "csv",
    to: "csv",
    columns,
    filter: [{ column: "kind", is: "sum" }],
  });
  assert.deepEqual([text, skipped], ["id\r\n7\r\n", []]);
});

Deno.test("a column that is not there is named, with those that are", async () => {
  for (const input of [{ columns: ["nmae"] }, { filter: [{ column: "nmae", is: "x" }] }]) {
    const failure = await failing(CSV, { from: "csv", to: "csv", ...input });
    assert.equal(failure.code, "invalid_input");
    assert.equal(
      failure.message,
      'There is no column "nmae"; there is "id", "name", "amount", "day", "paid".',
    );
  }
});

Deno.test("a row of another width is a fault, and only the first hundred are named", async () => {
  const csv = `a,b\n1,2\n1\n1,2,3\n${"x\n".repeat(200)}3,4\n`;
  const { rows, skipped, skippedCount, context } = await process(csv, { from: "csv", to: "csv" });
  assert.deepEqual([rows, skippedCount, skipped.length], [2, 202, 100]);
  assert.deepEqual(skipped.slice(0, 2), [
    { row: 2, message: "has 1 cells, and not 2" },
    { row: 3, message: "has 3 cells, and not 2" },
  ]);
  assert.deepEqual(context.logged, ["warn: 202 rows were skipped."]);
});

Deno.test("a file without a header has columns by number", async () => {
  const { text } = await process("1,2\n3,4\n", { from: "csv", to: "csv", read: { header: false } });
  assert.equal(text, "column 1,column 2\r\n1,2\r\n3,4\r\n");
});

Deno.test("a summary says of each column what it holds", async () => {
  const csv =
    "n,i,b,d,t,zip,e\n1.5,1,true,2026-01-02,b,01234,\n,2,FALSE,2026-01-01,a,99999,\n-2,2,true,2026-01-01,a,99999,\n";
  const { summary, rows, file } = await process(csv, { from: "csv", summarize: true });
  assert.deepEqual([rows, file], [3, undefined]);
  assert.deepEqual(summary?.columns, [
    { name: "n", type: "number", nulls: 1, distinct: 2, min: -2, max: 1.5, mean: -0.25 },
    { name: "i", type: "integer", nulls: 0, distinct: 2, min: 1, max: 2, mean: 5 / 3 },
    { name: "b", type: "boolean", nulls: 0, distinct: 2 },
    { name: "d", type: "date", nulls: 0, distinct: 2, min: "2026-01-01", max: "2026-01-02" },
    { name: "t", type: "text", nulls: 0, distinct: 2, min: "a", max: "b" },
    { name: "zip", type: "text", nulls: 0, distinct: 2, min: "01234", max: "99999" },
    { name: "e", type: "empty", nulls: 3, distinct: 0 },
  ]);
});

Deno.test("a summary is of the rows and columns that were asked for", async () => {
  const { summary } = await process(CSV, {
    from: "csv",
    to: "json",
    summarize: true,
    columns: [{ name: "amount", as: "sum", type: "number" }],
    filter: [{ column: "amount", above: 0 }],
  });
  assert.deepEqual(summary?.columns, [
    { name: "sum", type: "number", nulls: 0, distinct: 1, min: 12.5, max: 12.5, mean: 12.5 },
  ]);
});

Deno.test("many different values are counted to within 2 %, and the summary says that it is an estimate", async () => {
  const csv = `a,b\n${Array.from({ length: 300_000 }, (_, i) => `${i},${i % 1_000}`).join("\n")}`;
  const { summary } = await process(csv, { from: "csv", summarize: true });
  const [a, b] = summary!.columns as [{ distinct: number; estimated?: boolean }, { distinct: number }];
  assert.equal(a.estimated, true);
  assert.ok(Math.abs(a.distinct - 300_000) < 6_000, `${a.distinct}`);
  assert.deepEqual([b.distinct, "estimated" in b], [1_000, false]);
});

const file = crypto.randomUUID();
for (
  const [what, input, path] of [
    ["a file or a URL", { to: "csv" }, "file"],
    ["not both", { to: "csv", file, url: "https://example.com/a.csv" }, "file"],
    ["something to do", { file }, "to"],
    [
      "columns with names that differ",
      { file, to: "csv", columns: ["a", { name: "b", as: "a" }] },
      "columns",
    ],
    ["conditions that say something", { file, to: "csv", filter: [{ column: "a" }] }, "filter.0"],
    ["an encoding that there is", { file, to: "csv", read: { encoding: "utf-99" } }, "read.encoding"],
    ["a URL that may be asked", { url: "http://127.0.0.1/", to: "csv" }, "url"],
  ] as const
) {
  Deno.test(`the input must name ${what}`, () => {
    const { error } = definition.input.safeParse(input);
    assert.deepEqual(error?.issues.map(({ path }) => path.join(".")), [path]);
  });
}
