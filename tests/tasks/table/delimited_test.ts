import assert from "node:assert/strict";
import spectrum from "csv-spectrum";
import fc from "fast-check";
import { DelimitedParser, readDelimited } from "../../../tasks/lib/table/delimited.ts";
import { Fault, ROW_MAX } from "../../../tasks/lib/table/table.ts";
import { delimitedBytes } from "../../../tasks/lib/table/write.ts";
import { process } from "./processing.ts";

function parse(pieces: readonly string[], delimiter = ","): (string[] | string)[] {
  const parser = new DelimitedParser(delimiter);
  const rows = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()];
  return rows.map((row) => row instanceof Fault ? row.message : row);
}

async function* one<T>(value: T): AsyncGenerator<T> {
  yield await value;
}

interface Item {
  name: string;
  csv: Uint8Array;
  json: Uint8Array;
}

const items = await new Promise<Item[]>((resolve, reject) =>
  spectrum((error: unknown, items: Item[]) => error ? reject(error) : resolve(items))
);

for (const { name, csv, json } of items) {
  Deno.test(`csv-spectrum: ${name}`, async () => {
    const { text } = await process(csv, { from: "csv", to: "json" });
    const expected = JSON.parse(new TextDecoder().decode(json));
    if (name === "location_coordinates") {
      // Its JSON is that of another CSV: no list, and with another telephone number.
      const [row] = JSON.parse(text);
      assert.deepEqual({ ...row, "Contact Phone Number": "1234567890" }, expected);
    } else assert.deepEqual(JSON.parse(text), expected);
  });
}

const cases: [string, string, (string[] | string)[]][] = [
  ["lines end in three ways", "a\nb\r\nc\rd", [["a"], ["b"], ["c"], ["d"]]],
  ["empty lines are nothing", "\n\r\na,b\n\n\nc,d\n\n", [["a", "b"], ["c", "d"]]],
  ["an empty cell in quotes is a row", 'a\n""\nb', [["a"], [""], ["b"]]],
  ["cells may be empty", ",\n,,", [["", ""], ["", "", ""]]],
  ["a quote within a cell is itself", 'a"b,5" pipe\n', [['a"b', '5" pipe']]],
  ["quotes hold delimiters, line ends and quotes", '"a,b","c\r\nd","e""f",""""', [
    ["a,b", "c\r\nd", 'e"f', '"'],
  ]],
  ["spaces behind a quoted cell do not matter", '"a" ,"b"\t\n', [["a", "b"]]],
  ["text behind one does", 'x\n"a"b,c\n1\n', [["x"], "has text behind the end of a quoted cell", ["1"]]],
  ["nor may it have no end", 'x\n"a,b\nc', [["x"], "has a quoted cell that does not end"]],
];
for (const [what, text, rows] of cases) {
  Deno.test(`in delimited text ${what}, wherever it is cut`, () => {
    assert.deepEqual(parse([text]), rows);
    assert.deepEqual(parse([...text]), rows);
    for (let at = 0; at <= text.length; at++) {
      assert.deepEqual(parse([text.slice(0, at), "", text.slice(at)]), rows);
    }
  });
}

const cell = fc.string({ unit: fc.constantFrom("a", "é", "😀", '"', ",", ";", "\t", "\r", "\n", " ", "1") });
const rowsOf = (width: number) =>
  fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 8 });

Deno.test("what is written is what is read, with any delimiter and however it is cut", async () => {
  const tables = fc.integer({ min: 1, max: 4 }).chain(rowsOf);
  const cuts = fc.array(fc.nat(200), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(tables, fc.constantFrom(",", ";", "\t", "|"), cuts, async (rows, delimiter, at) => {
      // A formula's mark is the one thing that does not come back as it was.
      const plain = rows.map((row) => row.map((cell) => cell.replace(/^[\t\r\n]+/, "")));
      const [first, ...others] = plain;
      if (!first) return;
      let text = "";
      const bytes = delimitedBytes(first, one(others), { delimiter, bom: false });
      for await (const piece of bytes) text += new TextDecoder().decode(piece);
      const places = [0, ...at.map((place) => place % (text.length + 1)).sort((a, b) => a - b), text.length];
      const pieces = places.slice(1).map((place, i) => text.slice(places[i], place));
      assert.deepEqual(parse(pieces, delimiter), plain);
    }),
  );
});

Deno.test("no text at all makes the parser lose or invent a row's characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("a", '"', ",", "\r", "\n") }), fc.nat(50), (text, at) => {
      const rows = parse([text]);
      assert.deepEqual(parse([text.slice(0, at), text.slice(at)]), rows);
      if (text.includes('"')) return;
      assert.deepEqual(rows, text.split(/\r\n|\r|\n/).filter(Boolean).map((line) => line.split(",")));
    }),
  );
});

Deno.test("the delimiter is the one that the first line has most of, outside of quotes", async () => {
  const columnsOf = async (text: string, delimiter?: string) =>
    (await readDelimited(one(text), { header: true, delimiter })).columns;
  assert.deepEqual(await columnsOf("a;b;c\n1,2;3;4"), ["a", "b", "c"]);
  assert.deepEqual(await columnsOf('"a,b,c";d\n'), ["a,b,c", "d"]);
  assert.deepEqual(await columnsOf("a\tb"), ["a", "b"]);
  assert.deepEqual(await columnsOf("a|b|c,d"), ["a", "b", "c,d"]);
  assert.deepEqual(await columnsOf("alone"), ["alone"]);
  assert.deepEqual(await columnsOf("a;b,c", ","), ["a;b", "c"]);
});

Deno.test("columns without a name get one, and no two have the same", async () => {
  const { columns } = await readDelimited(one("a,,a, a ,a (2),\n"), { header: true });
  assert.deepEqual(columns, ["a", "column 2", "a (2)", "a (3)", "a (2) (2)", "column 6"]);
});

Deno.test("a row that does not end is refused before it fills the memory", () => {
  for (const start of ["", '"', '"x" ', "a,"]) {
    const parser = new DelimitedParser(",");
    const piece = (start.endsWith(",") ? "b," : "b").repeat(2 ** 15);
    let pushed = 0;
    assert.throws(() => {
      parser.push(start);
      for (;; pushed += piece.length) parser.push(piece);
    }, { code: "invalid_input", retryable: false });
    assert.ok(pushed <= ROW_MAX, `${pushed}`);
  }
});

Deno.test("the parser takes no more time for quotes than for other text", () => {
  // Each of these is quadratic in a parser that looks again at what it has seen.
  for (const piece of ['"', '""', '"a"', '" ', 'a"', ',"', '"\n', "\r"]) {
    const text = piece.repeat(Math.floor(500_000 / piece.length));
    const began = performance.now();
    for (let at = 0; at < text.length; at += 65_536) parse([text.slice(at, at + 65_536)]);
    assert.ok(performance.now() - began < 5_000, JSON.stringify(piece));
  }
});
