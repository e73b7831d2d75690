import assert from "node:assert/strict";
import fc from "fast-check";
import { EventParser, eventsOf } from "../../client/sse.ts";

const parse = (text: string) => new EventParser().push(text);

Deno.test("an event is its last type, its lines of data, and the last id", () => {
  assert.deepEqual(parse("id: 1\nevent: a\ndata: x\ndata:y\ndata\n\ndata: z\n\n"), [
    { event: "a", data: "x\ny\n", id: "1" },
    { event: "message", data: "z", id: "1" },
  ]);
});

Deno.test("comments, unknown fields, events without data and unfinished ones are nothing", () => {
  assert.deepEqual(parse(": hi\n\nevent: a\n\nfoo: bar\n\ndata: never ended"), []);
});

Deno.test("every kind of line break will do, and a byte order mark does not show", () => {
  for (const end of ["\n", "\r", "\r\n"]) {
    assert.deepEqual(parse(`\uFEFFdata: a${end}${end}data:  b${end}${end}`).map(({ data }) => data), [
      "a",
      " b",
    ]);
  }
});

Deno.test("an id with NUL and a retry that is no number are ignored", () => {
  const parser = new EventParser("before");
  const [event] = parser.push("id: a\0b\nretry: soon\nretry: 1500\ndata: x\n\n");
  assert.equal(event?.id, "before");
  assert.equal(parser.retry, 1500);
});

Deno.test("events are the same however the stream is cut into pieces", () => {
  const line = fc.oneof(
    fc.constantFrom(
      "data: x",
      "data:",
      "data",
      "event: e",
      "id: 7",
      "id",
      ":c",
      "",
      "retry: 9",
      "nonsense",
      "\uFEFF",
    ),
    fc.string({ unit: fc.constantFrom("a", ":", " ", "é", "😀") }).map((text) => `data:${text}`),
  );
  const stream = fc.array(fc.tuple(line, fc.constantFrom("\n", "\r", "\r\n")), { maxLength: 30 })
    .map((lines) => lines.flat().join(""));
  fc.assert(fc.asyncProperty(stream, fc.array(fc.nat(20)), async (text, cuts) => {
    const bytes = new TextEncoder().encode(text);
    const whole = new EventParser();
    const expected = whole.push(text);
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const cut of cuts) pieces.push(bytes.slice(at, at += cut));
    pieces.push(bytes.slice(at));
    const parser = new EventParser();
    assert.deepEqual(await Array.fromAsync(eventsOf(ReadableStream.from(pieces), parser)), expected);
    assert.equal(parser.retry, whole.retry);
  }));
});

Deno.test("who stops to read closes the connection", async () => {
  let cancelled = false;
  const encoded = new TextEncoder().encode("data: x\n\n");
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(encoded),
    cancel: () => void (cancelled = true),
  });
  for await (const { data } of eventsOf(stream, new EventParser())) {
    assert.equal(data, "x");
    break;
  }
  assert.ok(cancelled);
});
