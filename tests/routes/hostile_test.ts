import assert from "node:assert/strict";
import fc from "fast-check";
import { pointer } from "../../routes/json.ts";
import { PROBLEMS } from "../../routes/problem.ts";
import { bench, isProblem, post, submit } from "./support.ts";

const utf8 = new TextEncoder();
const task = (input: string) => `{"type":"any","input":${input}}`;
const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

const UNREADABLE: readonly [why: string, body: string | Uint8Array, code: keyof typeof PROBLEMS][] = [
  ["an empty body", "", "malformed-json"],
  ["a truncated body", '{"type":"any","input":', "malformed-json"],
  ["text behind the JSON", task("1") + "x", "malformed-json"],
  ["a BOM", "\uFEFF" + task("1"), "malformed-json"],
  ["NaN", task("NaN"), "malformed-json"],
  ["a raw NUL", task('"\0"'), "malformed-json"],
  ["invalid UTF-8", new Uint8Array([...utf8.encode('{"type":"'), 0xff, 0x22, 0x7d]), "invalid-encoding"],
  ["a surrogate in UTF-8", new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), "invalid-encoding"],
  ["UTF-16", new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]), "invalid-encoding"],
  ["a 65th level", task(nested(64)), "payload-too-deep"],
  ["forty thousand levels", nested(40_000), "payload-too-deep"],
  ["ten thousand levels of objects", '{"":'.repeat(10_000) + "1" + "}".repeat(10_000), "payload-too-deep"],
];
for (const [why, body, code] of UNREADABLE) {
  Deno.test(`${why} is a 400`, async () => {
    await isProblem(await post(bench().app, body), code);
  });
}

const POISONED: readonly [why: string, input: string, pointer: string][] = [
  ["1e400", '{"a":[0,1e400]}', "#/input/a/1"],
  ["-1e400", "-1e400", "#/input"],
  ["the key __proto__", '{"a":{"__proto__":{"polluted":true}}}', "#/input/a/__proto__"],
  ["an escaped __proto__", '[{"\\u005f_proto__":1}]', "#/input/0/__proto__"],
  ["the key constructor", '{"constructor":{"prototype":{}}}', "#/input/constructor"],
  ["the key prototype", '{"prototype":1}', "#/input/prototype"],
  ["ten thousand values", `[${"0,".repeat(9_998)}0]`, "#"],
];
for (const [why, input, pointer] of POISONED) {
  Deno.test(`${why} is a 422 that points at it`, async () => {
    const { errors } = await isProblem(await post(bench().app, task(input)), "validation-failed");
    assert.deepEqual(errors?.map((error) => error.pointer), [pointer]);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  });
}

Deno.test("64 levels and ten thousand values are still read", async () => {
  const { app } = bench();
  assert.equal((await post(app, task(nested(63)))).status, 202);
  // The body itself, the type and the list are values too.
  assert.equal((await post(app, task(`[${"0,".repeat(9_996)}0]`))).status, 202);
});

Deno.test("lone surrogates, line separators and NULs in texts do no harm", async () => {
  const { app, store } = bench();
  const input = '"\\ud800 \\u0000 \u2028 </script>"';
  const { id } = await submit(app, { input: JSON.parse(input) });
  assert.equal(JSON.parse((await store.get("", id))!.input), JSON.parse(input));
  const { errors } = await isProblem(
    await post(app, `{"type":"any","input":1,"\\ud800":1}`),
    "validation-failed",
  );
  assert.equal(errors?.[0]?.pointer, "#/%EF%BF%BD");
});

Deno.test("a name of 50,000 characters is not echoed", async () => {
  const { app } = bench();
  const long = "x".repeat(50_000);
  const answer = await post(app, { type: "any", input: 1, [long]: 1 });
  const { errors } = await isProblem(answer, "validation-failed");
  assert.deepEqual(errors, [{ pointer: "#", detail: "is not a known field" }]);
});

const MEDIA: readonly [type: string | undefined, accepted: boolean][] = [
  ["application/json", true],
  ["APPLICATION/JSON", true],
  ["application/json; charset=utf-8", true],
  ['application/json;charset="UTF-8"', true],
  ["application/vnd.errand+json", true],
  ["application/json; charset=latin1", false],
  ["application/json; charset=utf-16", false],
  ["application/jsonp", false],
  ["text/plain", false],
  ["text/plain, application/json", false],
  ["multipart/form-data; boundary=application/json", false],
  [undefined, false],
];
for (const [type, accepted] of MEDIA) {
  Deno.test(`the content type ${type} is ${accepted ? "read" : "a 415"}`, async () => {
    const headers = type === undefined ? undefined : { "content-type": type };
    // Bytes have no content type of their own.
    const body = utf8.encode(task("1"));
    const answer = await bench().app.request("/v1/tasks", { method: "POST", headers, body });
    if (accepted) return assert.equal(answer.status, 202);
    assert.equal(answer.headers.get("accept"), "application/json");
    await isProblem(answer, "unsupported-media-type");
  });
}

Deno.test("an encoded body is a 415, identity is none", async () => {
  const { app } = bench();
  for (const encoding of ["gzip", "br", "gzip, identity", "x"]) {
    const answer = await post(app, task("1"), { "content-encoding": encoding });
    await isProblem(answer, "unsupported-media-type");
  }
  assert.equal((await post(app, task("1"), { "content-encoding": "Identity" })).status, 202);
});

Deno.test("a body declared too large is refused unread, one that lies is cut", async () => {
  const { app } = bench({ limits: { body: 1000 } });
  const large = task(`"${"x".repeat(1000)}"`);
  await isProblem(await post(app, task("1"), { "content-length": "1001" }), "body-too-large");
  await isProblem(await post(app, large, { "content-length": "10" }), "body-too-large");
  await isProblem(await post(app, large), "body-too-large");
  await isProblem(await post(app, large, { "content-length": "-1" }), "body-too-large");
  await isProblem(await post(app, large, { "content-length": "0x10" }), "body-too-large");
  assert.equal((await post(app, task("1"), { "content-length": "many" })).status, 202);
});

Deno.test("no more than the limit is taken from an endless body", async () => {
  let taken = 0;
  let stopped = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      taken += 10_000;
      controller.enqueue(new Uint8Array(10_000));
    },
    cancel() {
      stopped = true;
    },
  });
  const headers = { "content-type": "application/json" };
  const answer = await bench().app.request("/v1/tasks", { method: "POST", headers, body });
  await isProblem(answer, "body-too-large");
  assert.ok(stopped);
  assert.ok(taken <= 130_000, `${taken} bytes were taken`);
});

Deno.test("whatever bytes are posted, the answer is a 202 or a problem below 500", async () => {
  const { app, logged } = bench();
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.string({ unit: "binary" }).map((text) => utf8.encode(text)),
    fc.json().map((json) => utf8.encode(task(json))),
    // JSON with one byte changed: most of it is still well-formed.
    fc.tuple(fc.json(), fc.nat(), fc.nat(255)).map(([json, at, byte]) => {
      const text = utf8.encode(task(json));
      text[at % text.length] = byte;
      return text;
    }),
  );
  await fc.assert(fc.asyncProperty(bytes, async (body) => isAnswer(await post(app, body))), { numRuns: 500 });
  assert.deepEqual(logged, []);
});

Deno.test("whatever JSON is posted, the answer is a 202 or a problem below 500", async () => {
  const { app, logged } = bench();
  const any = fc.jsonValue();
  const body = fc.oneof(
    any,
    fc.dictionary(fc.string(), any),
    fc.record({
      type: fc.oneof(fc.constantFrom("any", "send-email"), any),
      input: fc.oneof(fc.record({ to: any, subject: any }, { requiredKeys: [] }), any),
      id: fc.oneof(fc.uuid(), any),
      runAt: fc.oneof(
        fc.date().map(String),
        fc.date({ noInvalidDate: true }).map((d) => d.toISOString()),
        any,
      ),
      delay: fc.oneof(fc.nat().map((n) => `${n}d`), any),
      timeout: fc.oneof(fc.nat().map((n) => `${n}ms`), any),
      priority: any,
      maxAttempts: any,
      metadata: fc.oneof(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.double(), fc.boolean())), any),
    }, { requiredKeys: ["type", "input"] }),
  );
  await fc.assert(fc.asyncProperty(body, async (body) => isAnswer(await post(app, body))), { numRuns: 1000 });
  assert.deepEqual(logged, []);
});

async function isAnswer(answer: Response): Promise<void> {
  const body = await answer.clone().json();
  if (answer.status === 202) return assert.match(body.id, /^[0-9a-f-]{36}$/);
  assert.ok(answer.status < 500);
  await isProblem(answer, body.code);
  for (const error of body.errors ?? []) assert.match(error.pointer, /^#(\/[^\s/]*)*$/);
}

Deno.test("a pointer leads back to the place it was made for", () => {
  const name = fc.string({ unit: "grapheme", maxLength: 50 });
  fc.assert(fc.property(fc.array(fc.oneof(name, fc.nat())), (path) => {
    const segments = pointer(path).slice(1).split("/").slice(1)
      .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
    assert.deepEqual(segments, path.map((segment) => String(segment).toWellFormed()));
  }));
});

Deno.test("the pointer of a poisoned key is right wherever it lies", async () => {
  const { app } = bench();
  const path = fc.array(
    fc.oneof(
      fc.string({ maxLength: 10 }).filter((name) =>
        !/^(__proto__|constructor|prototype|before|z)$/.test(name)
      ),
      fc.constant(0),
    ),
    { maxLength: 20 },
  );
  await fc.assert(fc.asyncProperty(path, async (path) => {
    const poisoned = path.reduceRight<string>(
      (inner, name) =>
        typeof name === "number" ? `[${inner}]` : `{"before":[1],${JSON.stringify(name)}:${inner},"z":2}`,
      '{"constructor":1}',
    );
    const { errors } = await isProblem(await post(app, task(poisoned)), "validation-failed");
    assert.equal(errors?.[0]?.pointer, pointer(["input", ...path, "constructor"]));
  }));
});
