import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decode,
  encode,
  FROM_ABOVE,
  FROM_RUNNER,
  FROM_WORKER,
  type Message,
  Outbox,
  ProtocolViolation,
  type Report,
} from "../../workers/messages.ts";

const key = fc.integer({ min: 0 });
const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n === 0 ? 0 : n);
const failed = fc.record({
  code: fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/),
  message: fc.string({ unit: "binary" }),
  retryable: fc.boolean(),
}, { noNullPrototype: true }).chain((base) =>
  fc.constantFrom(base, { ...base, crash: true, retryAfter: 5, details: { a: [1] }, stack: "s" })
);
const level = fc.constantFrom("debug", "info", "warn", "error");
const how = fc.constantFrom("unstarted", "neighbour", "suspect");
const reports = fc.array(fc.oneof(
  fc.tuple(fc.constant("done"), key, fc.json()),
  fc.tuple(fc.constant("fail"), key, failed),
  fc.tuple(fc.constant("progress"), key, number, fc.option(number), fc.option(fc.string())),
  fc.tuple(fc.constant("checkpoint"), key, fc.json()),
  fc.tuple(fc.constant("log"), key, level, fc.string({ unit: "binary" })),
  fc.tuple(fc.constant("made"), key, fc.uuid(), fc.option(fc.string()), fc.string()),
  fc.tuple(fc.constant("released"), fc.array(key), how),
  fc.tuple(fc.constant("condemned"), fc.constant("stuck"), fc.string(), fc.array(key)),
  fc.constantFrom(["pong"], ["ready"]),
)) as unknown as fc.Arbitrary<Report[]>;
const orders = fc.array(fc.oneof(
  fc.tuple(fc.constant("run"), key, fc.uuid(), key, number, fc.json()),
  fc.tuple(fc.constant("run"), key, fc.uuid(), key, number, fc.json(), fc.json()),
  fc.tuple(fc.constant("kept"), key, fc.boolean()),
  fc.tuple(fc.constant("stop"), key, fc.string()),
  fc.constant(["ping"]),
)) as unknown as fc.Arbitrary<Message[]>;

Deno.test("what is encoded is decoded", () => {
  fc.assert(fc.property(reports, (list) => assert.deepEqual(decode(encode(list), FROM_RUNNER), list)));
  fc.assert(fc.property(orders, (list) => assert.deepEqual(decode(encode(list), FROM_ABOVE), list)));
});

Deno.test("junk is a violation and nothing else", () => {
  const junk = fc.oneof(
    fc.anything(),
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.json().map((text) => `${text}\n`),
    // Nearly right: one character is changed, or the end is cut off.
    fc.tuple(reports, fc.nat(), fc.string({ minLength: 1, maxLength: 1 })).map(([list, at, character]) => {
      const text = encode(list);
      const i = at % text.length;
      return text.slice(0, i) + character + text.slice(i + 1);
    }),
    fc.tuple(reports, fc.nat()).map(([list, cut]) => encode(list).slice(0, cut)),
  );
  for (const shapes of [FROM_WORKER, FROM_RUNNER, FROM_ABOVE]) {
    fc.assert(fc.property(junk, (input) => {
      try {
        decode(input, shapes);
      } catch (error) {
        assert.ok(error instanceof ProtocolViolation, String(error));
      }
    }));
  }
});

Deno.test("every field is checked", () => {
  const wrong = [
    "",
    "\n",
    "[]",
    "{}\n",
    "[1]\n",
    "[[]]\n",
    '[["constructor"]]\n',
    '[["__proto__"]]\n',
    '[["pong",1]]\n',
    '[["done",1]]\n',
    '[["done",1.5,0]]\n',
    '[["done",1,-1]]\n',
    '[["done",1,3]]\n{}',
    '[["progress",1,null,null,null]]\n',
    '[["log",1,"loud","m"]]\n',
    `[["log",1,"info","${"m".repeat(20_001)}"]]\n`,
    '[["fail",1,{"code":"Bad Code","message":"m","retryable":true}]]\n',
    '[["fail",1,{"code":"a","message":"m","retryable":1}]]\n',
    '[["fail",1,{"code":"a","message":"m","retryable":true,"more":1}]]\n',
    '[["fail",1,{"code":"a","message":"m","retryable":true,"__proto__":{}}]]\n',
    '[["released",[1,"2"],"suspect"]]\n',
    '[["released",[1],true]]\n',
    '[["condemned","No Code","m",[]]]\n',
    '[["loaded"]]\n',
    `[${'["pong"],'.repeat(1_000_000)}["pong"]]\n`,
  ];
  for (const text of wrong) {
    assert.throws(() => decode(text, FROM_RUNNER), ProtocolViolation, text.slice(0, 100));
  }
});

Deno.test("an outbox keeps the order, and cuts what is long", () => {
  const sent: string[] = [];
  const outbox = new Outbox<Report>((text) => sent.push(text));
  const list: Report[] = [
    ["done", 1, `"${"x".repeat(700_000)}"`],
    ["log", 2, "info", "between"],
    ["done", 2, `"${"y".repeat(700_000)}"`],
    ["done", 3, ""],
  ];
  for (let i = 0; i < 600; i++) list.push(["log", 4, "info", "l".repeat(4_000)]);
  list.forEach((message) => outbox.post(message));
  outbox.flush();
  assert.deepEqual(sent.flatMap((text) => decode<Report>(text, FROM_RUNNER)), list);
  assert.ok(sent.length >= 3 && sent.every((text) => text.length < 2_000_000), `${sent.length} texts`);
  outbox.flush();
  assert.ok(sent.length < 10);
});
