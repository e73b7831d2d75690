import assert from "node:assert/strict";
import fc from "fast-check";
import { JsonItems } from "../../../tasks/lib/table/json.ts";
import { failing, process } from "./processing.ts";

function itemsOf(pieces: readonly string[]): string[] {
  const items = new JsonItems();
  const found = pieces.flatMap((piece) => items.push(piece));
  items.end();
  return found;
}

Deno.test("a JSON array is cut into its items, however it comes", () => {
  const space = fc.constantFrom("", " ", "\n", "\t \r\n");
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue({ maxDepth: 3 })),
      space,
      fc.array(fc.nat(300)),
      (values, space, at) => {
        const text = `${space}[${space}${
          values.map((each) => JSON.stringify(each, null, space)).join(`${space},`)
        }]${space}`;
        const places = [
          0,
          ...at.map((place) => place % (text.length + 1)).sort((a, b) => a - b),
          text.length,
        ];
        const pieces = places.slice(1).map((place, i) => text.slice(places[i], place));
        assert.deepEqual(itemsOf(pieces).map((item) => JSON.parse(item)), JSON.parse(text));
      },
    ),
  );
});

Deno.test("backslashes and quotes are understood at any cut", () => {
  const text = JSON.stringify([{ a: '\\"', b: "\\\\", '"]': "}],[{" }, "\\"]);
  for (let at = 0; at <= text.length; at++) {
    assert.deepEqual(
      itemsOf([text.slice(0, at), text.slice(at)]).map((item) => JSON.parse(item)),
      JSON.parse(text),
    );
  }
  assert.equal(itemsOf([...text]).length, 2);
});

for (
  const text of ["", " ", "{}", '"[]"', "[", "[{}", '[{"a":1}', "[]]", "[] x", "[}", "x[]", '["a', "nul"]
) {
  Deno.test(`${JSON.stringify(text)} is no array of objects`, async () => {
    const failure = await failing(text, { from: "json", to: "csv" });
    assert.equal(failure.code, "invalid_input");
  });
}

Deno.test("what is no object, or no JSON, is skipped, and told by its row", async () => {
  const { rows, skipped, text } = await process('[{"a":1},2,{"a":},null,,[1],{"a":3}]', {
    from: "json",
    to: "csv",
  });
  assert.equal(text, "a\r\n1\r\n3\r\n");
  assert.equal(rows, 2);
  assert.deepEqual(skipped, [
    { row: 2, message: "is no object" },
    { row: 3, message: "is no JSON" },
    { row: 4, message: "is no object" },
    { row: 5, message: "is no JSON" },
    { row: 6, message: "is no object" },
  ]);
});

Deno.test("lines of JSON may end with CRLF, or the last with nothing, and be empty", async () => {
  const { text, skipped } = await process('{"a":1}\r\n\n{"a":\n  \n{"a":2}', {
    from: "ndjson",
    to: "ndjson",
  });
  assert.equal(text, '{"a":1}\n{"a":2}\n');
  assert.deepEqual(skipped, [{ row: 2, message: "is no JSON" }]);
});

Deno.test("objects keep what they hold, and lack what they lack", async () => {
  const objects = [
    { a: 1, b: null, c: [1, { d: "x" }], "": true },
    { b: "é😀", constructor: -0.5 },
    JSON.parse('{"a": 1e300, "__proto__": {"x": 1}}'),
  ];
  const { text } = await process(JSON.stringify(objects), { from: "json", to: "json" });
  assert.equal(text, `[\n${objects.map((each) => JSON.stringify(each)).join(",\n")}\n]\n`);
  assert.equal((await process("[]", { from: "json", to: "json" })).text, "[]\n");
});

Deno.test("columns are those of the first 1,000 objects or more; a later one with another does not fit", async () => {
  const lines = Array.from(
    { length: 20_000 },
    (_, i) => JSON.stringify({ a: i, ...(i === 999 && { b: 1 }), ...(i === 19_000 && { c: 1 }) }),
  ).join("\n");
  const all = await process(lines, { from: "ndjson", to: "csv" });
  assert.ok(all.text.startsWith("a,b\r\n0,\r\n"));
  assert.equal(all.rows, 19_999);
  const message = 'has "c", which the rows at the beginning do not have';
  assert.deepEqual(all.skipped, [{ row: 19_001, message }]);
  const filter = [{ column: "c", empty: false }];
  const picked = await process(lines, { from: "ndjson", to: "csv", columns: ["c"], filter });
  assert.equal(picked.text, "c\r\n1\r\n");
});

Deno.test("an object that is nested without end, or has no end, does no harm", async () => {
  // With `toJSON` V8 takes its slow way, which goes by the stack.
  const deep = `{"a":[{"toJSON":1},${"[".repeat(200_000)}${"]".repeat(200_000)}]}`;
  const { skipped, rows } = await process(`{"a":1}\n${deep}\n`, { from: "ndjson", to: "csv" });
  assert.deepEqual([rows, skipped], [1, [{ row: 2, message: "is nested too deeply" }]]);
  for (const from of ["json", "ndjson"]) {
    const failure = await failing(`[{"a":"${"x".repeat(3 * 2 ** 20)}`, { from, to: "csv" });
    assert.match(failure.message, /^A row has more than 1048576 characters/);
  }
});
