import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { textOf } from "../../../tasks/lib/table/text.ts";
import { failing, process } from "./processing.ts";

const TEXT = "Städte,😀\n東京,1\n";
const utf16be = (text: string) => Buffer.from(text, "utf16le").swap16();
const encoded: [string, Uint8Array, string | undefined][] = [
  ["UTF-8", Buffer.from(TEXT), undefined],
  ["UTF-8 with a byte order mark", Buffer.from(`\ufeff${TEXT}`), undefined],
  ["UTF-16LE with a byte order mark", Buffer.from(`\ufeff${TEXT}`, "utf16le"), undefined],
  ["UTF-16BE with a byte order mark", utf16be(`\ufeff${TEXT}`), undefined],
  ["UTF-16BE without one, by its name", utf16be(TEXT), "utf-16be"],
  ["what its byte order mark says, not its name", Buffer.from(`\ufeff${TEXT}`, "utf16le"), "windows-1252"],
];

for (const [what, bytes, encoding] of encoded) {
  Deno.test(`text is read from ${what}, however it is cut`, async () => {
    for (const size of [1, 2, 3, 7, 1_000]) {
      let text = "";
      for await (const piece of textOf(cut(bytes, size), encoding)) text += piece;
      assert.equal(text, TEXT);
    }
    const read = encoding ? { encoding } : {};
    const { text } = await process(bytes, { from: "csv", to: "csv", read });
    assert.equal(text, "Städte,😀\r\n東京,1\r\n");
  });
}

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield await bytes.subarray(at, at + size);
}

Deno.test("an encoding may be said by the task, or by the content type", async () => {
  const latin = Buffer.from("Städte\nKöln\n", "latin1");
  const said = { to: "json", read: { encoding: "windows-1252" } };
  assert.match((await process(latin, said, { name: "a.csv" })).text, /Köln/);
  const contentType = "text/csv; charset=iso-8859-1";
  assert.match((await process(latin, { to: "json" }, { contentType })).text, /Köln/);
});

Deno.test("bytes that are not what they should be are refused, at the end too", async () => {
  for (
    const bytes of [
      Buffer.from("Städte\n", "latin1"),
      Buffer.from("a\né").subarray(0, -1),
      Buffer.from([0xff]),
    ]
  ) {
    const failure = await failing(bytes, { from: "csv", to: "json" });
    assert.deepEqual([failure.code, failure.retryable], ["invalid_input", false]);
    assert.match(failure.message, /is not what utf-8 looks like: say its `encoding`/);
  }
});

Deno.test("a byte order mark is written where it is asked for, and so Excel knows UTF-8", async () => {
  const { bytes } = await process("é", { from: "csv", to: "csv", write: { bom: true, delimiter: ";" } });
  assert.deepEqual([...bytes.slice(0, 3)], [0xef, 0xbb, 0xbf]);
});
