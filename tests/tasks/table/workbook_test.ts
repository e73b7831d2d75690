import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { deflateRawSync } from "node:zlib";
import * as xlsx from "@e965/xlsx";
import { unzipped } from "../../../tasks/lib/table/zip.ts";
import { failing, process } from "./processing.ts";

type Cells = (xlsx.CellObject | string | number | boolean | Date | null)[][];

function workbook(sheets: Record<string, Cells>): Uint8Array {
  const book = xlsx.utils.book_new();
  for (const [name, cells] of Object.entries(sheets)) {
    xlsx.utils.book_append_sheet(book, xlsx.utils.aoa_to_sheet(cells, { cellDates: true, UTC: true }), name);
  }
  return new Uint8Array(xlsx.write(book, { type: "array", bookType: "xlsx", compression: true }));
}

const contentType = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

Deno.test("a workbook's cells come as what they are: of formulas their values", async () => {
  const book = workbook({
    First: [
      ["n", "t", "b", "day", "time", "f", null],
      [1.5, "é 😀", true, new Date("2026-02-28Z"), new Date("2026-02-28T12:30:00Z"), {
        t: "n",
        v: 3,
        f: "A2*2",
      }],
      [],
      [null, "007", false],
    ],
    Second: [["x"]],
  });
  const { text, rows } = await process(book, { to: "json" }, { contentType });
  assert.deepEqual(JSON.parse(text), [
    { n: 1.5, t: "é 😀", b: true, day: "2026-02-28", time: "2026-02-28T12:30:00", f: 3 },
    { n: null, t: "007", b: false, day: null, time: null, f: null },
  ]);
  assert.equal(rows, 2);
});

Deno.test("another sheet is read by its name, and one that is not there is named with those that are", async () => {
  const book = workbook({ First: [["a"], [1]], "Zweite é": [["b"], [2]] });
  const { text } = await process(book, { from: "xlsx", to: "csv", read: { sheet: "Zweite é" } });
  assert.equal(text, "b\r\n2\r\n");
  const failure = await failing(book, { from: "xlsx", to: "csv", read: { sheet: "constructor" } });
  assert.equal(failure.message, 'There is no sheet "constructor"; there is "First", "Zweite é".');
});

Deno.test("a formula that has failed is a fault of its row", async () => {
  const book = workbook({ S: [["a"], [{ t: "e", v: 7 }], [2]] });
  const { rows, skipped } = await process(book, { from: "xlsx", to: "csv" });
  assert.deepEqual([rows, skipped], [1, [{ row: 1, message: 'has the error of a formula in "a"' }]]);
});

Deno.test("what is written opens as it was, with numbers as numbers", async () => {
  const csv = 'id,text,n\n007,"é, 😀",-1.5\n,x,\n';
  const { bytes, made } = await process(csv, {
    to: "xlsx",
    columns: ["id", "text", { name: "n", type: "number" }],
  }, { name: "Sales 2026.csv" });
  assert.deepEqual(made, { name: "Sales 2026.xlsx", contentType });
  const { Sheets, SheetNames } = xlsx.read(bytes);
  const rows = xlsx.utils.sheet_to_json(Sheets[SheetNames[0]!]!, { header: 1 });
  assert.deepEqual(rows, [["id", "text", "n"], ["007", "é, 😀", -1.5], [, "x"]]);
});

const FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1"];
const NUMBERS = ["-1", "+1.5", "-1e5", "-.5"];

Deno.test("what a spreadsheet would run is text in CSV, TSV and XLSX, header included; numbers stay", async () => {
  const rows = [...FORMULAS, ...NUMBERS].map((cell) => ({ "=a": cell }));
  for (const to of ["csv", "tsv", "xlsx"]) {
    const { bytes } = await process(JSON.stringify(rows), { from: "json", to });
    const back = JSON.parse((await process(bytes, { from: to, to: "json" })).text);
    assert.deepEqual(
      back,
      [...FORMULAS.map((cell) => `'${cell}`), ...NUMBERS].map((cell) => ({ "'=a": cell })),
      to,
    );
  }
  const { text } = await process(JSON.stringify(rows), { from: "json", to: "ndjson" });
  assert.deepEqual(text.trim().split("\n").map((line) => JSON.parse(line)), rows);
});

Deno.test("a text that no cell of a sheet holds is a fault, and more cells than a workbook holds a failure", async () => {
  const long = await process(`a\n${"x".repeat(40_000)}\ny\n`, { from: "csv", to: "xlsx" });
  assert.deepEqual([long.rows, long.skipped[0]?.row], [1, 1]);
  const failure = await failing(`a,b\n${"1,2\n".repeat(300_000)}`, { from: "csv", to: "xlsx" });
  assert.equal(failure.code, "result_too_large");
  assert.match(failure.message, /500000 cells at most: as CSV/);
});

Deno.test("what is no workbook, or half of one, is refused", async () => {
  const book = workbook({ S: [["a"], [1]] });
  const others: [Uint8Array | string, string][] = [
    ["", "invalid_input"],
    ["a,b\n1,2\n", "invalid_input"],
    ["<html><table><tr><td>1", "invalid_input"],
    [book.slice(0, -30), "invalid_input"],
    [book.slice(book.length / 2), "invalid_input"],
    [zip([{ name: "mimetype", content: new Uint8Array(9) }]), "unsupported_format"],
    [zip([{ name: "xl/workbook.xml", content: new TextEncoder().encode("<x>") }]), "invalid_input"],
    [new Uint8Array(17 * 2 ** 20), "invalid_input"],
  ];
  for (const [bytes, code] of others) {
    const failure = await failing(bytes, { from: "xlsx", to: "csv" });
    assert.deepEqual([failure.code, failure.retryable], [code, false], failure.message);
  }
});

Deno.test("a workbook of any bytes ends in a table or a failure", async () => {
  const book = workbook({ S: [["a", "b"], [1, "x"]] });
  for (let i = 0; i < 200; i++) {
    const broken = book.slice();
    for (let j = 0; j < 3; j++) broken[(i * 7_919 + j * 104_729) % broken.length]! ^= 1 << (i + j) % 8;
    const code = await process(broken, { from: "xlsx", to: "csv" }).then(
      () => undefined,
      (error) => error.code,
    );
    assert.ok(
      code === undefined || code === "invalid_input" || code === "unsupported_format",
      `${i}: ${code}`,
    );
  }
});

Deno.test("what claims to be small is not inflated past the limit", () => {
  const bomb = deflateRawSync(new Uint8Array(2 ** 24));
  const limits = { entries: 10, bytes: 2 ** 20 };
  const many = Array.from({ length: 11 }, (_, i) => ({ name: `${i}`, content: new Uint8Array() }));
  for (
    const entries of [[{ name: "a", content: bomb, method: 8 }], many, [{
      name: "a",
      content: new Uint8Array(2 ** 21),
    }]]
  ) {
    assert.throws(() => unzipped(zip(entries), limits), { code: "invalid_input", message: /more than/ });
  }
  const fits = unzipped(zip([{ name: "é", content: deflateRawSync(new Uint8Array(9)), method: 8 }]), limits);
  assert.deepEqual(fits, new Map([["é", Buffer.alloc(9)]]));
});

/** A zip archive whose sizes are what one says. */
function zip(entries: { name: string; content: Uint8Array; method?: number }[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const { name, content, method = 0 } of entries) {
    const title = new TextEncoder().encode(name);
    const header = new DataView(new ArrayBuffer(30));
    header.setUint32(0, 0x04034b50, true);
    header.setUint16(8, method, true);
    header.setUint32(18, content.length, true);
    header.setUint16(26, title.length, true);
    const entry = new DataView(new ArrayBuffer(46));
    entry.setUint32(0, 0x02014b50, true);
    entry.setUint16(10, method, true);
    entry.setUint32(20, content.length, true);
    // It claims to have one byte.
    entry.setUint32(24, 1, true);
    entry.setUint16(28, title.length, true);
    entry.setUint32(42, at, true);
    pieces.push(new Uint8Array(header.buffer), title, content);
    directory.push(new Uint8Array(entry.buffer), title);
    at += 30 + title.length + content.length;
  }
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, 0x06054b50, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(16, at, true);
  return new Uint8Array(Buffer.concat([...pieces, ...directory, new Uint8Array(end.buffer)]));
}
