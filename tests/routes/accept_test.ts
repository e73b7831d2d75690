import assert from "node:assert/strict";
import { z } from "zod";
import { defineTask } from "../../tasks/mod.ts";
import { bench, isProblem, post, submit, typeOf } from "./support.ts";

const ID = "0198c1d2-0000-7000-8000-0123456789ab";

Deno.test("an accepted task is answered with 202, its place and when to look again", async () => {
  const { app } = bench();
  const answer = await post(app, { type: "any", input: { a: 1 } });
  const task = await answer.json();
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get("location"), `/v1/tasks/${task.id}`);
  assert.equal(answer.headers.get("retry-after"), "1");
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  assert.equal(answer.headers.get("content-type"), "application/json");
  const self = `/v1/tasks/${task.id}`;
  assert.deepEqual(task, {
    id: task.id,
    type: "any",
    status: "queued",
    attempt: 0,
    maxAttempts: 5,
    priority: 0,
    version: 1,
    createdAt: "2030-01-01T00:00:00.000Z",
    links: {
      self,
      events: `${self}/events`,
      result: `${self}/result`,
      logs: `${self}/logs`,
      cancel: `${self}/cancel`,
      retry: `${self}/retry`,
    },
  });
});

Deno.test("the input is stored as it was sent, not as the schema changed it", async () => {
  const input = z.object({ n: z.string().transform(Number), rest: z.array(z.int()) }).transform((value) => {
    value.rest.push(99);
    return value;
  });
  const { app, store } = bench({ types: [typeOf("changing", defineTask({ input, run: () => 1 }))] });
  const { id } = await submit(app, { type: "changing", input: { n: "5", rest: [1], more: "é" } });
  assert.equal((await store.get("", id))?.input, '{"n":"5","rest":[1],"more":"é"}');
});

Deno.test("the type's settings hold unless the client says otherwise", async () => {
  const { app, store } = bench();
  const input = { to: [], subject: "" };
  const { id } = await submit(app, { type: "send-email", input });
  const task = await store.get("", id);
  assert.deepEqual([task?.maxAttempts, task?.timeout, task?.priority], [3, 1500, 0]);
  const said = { maxAttempts: 7, timeout: "PT2M", priority: -100 };
  const { id: other } = await submit(app, { type: "send-email", input, ...said });
  const changed = await store.get("", other);
  assert.deepEqual([changed?.maxAttempts, changed?.timeout, changed?.priority], [7, 120_000, -100]);
});

Deno.test("a delay and a future runAt schedule the task, a past runAt does not", async () => {
  const { app } = bench();
  const delayed = await post(app, { type: "any", input: 1, delay: "1m 30s" });
  assert.equal(delayed.headers.get("retry-after"), "90");
  const { status, runAt } = await delayed.json();
  assert.deepEqual([status, runAt], ["scheduled", "2030-01-01T00:01:30.000Z"]);
  const later = await submit(app, { runAt: "2030-01-01T02:00:00+01:00" });
  assert.deepEqual([later.status, later.runAt], ["scheduled", "2030-01-01T01:00:00.000Z"]);
  for (const past of ["2029-12-31T23:59:59Z", "0000-01-01T00:00:00+12:00"]) {
    const task = await submit(app, { runAt: past });
    assert.deepEqual([task.status, task.runAt], ["queued", undefined]);
  }
});

Deno.test("metadata comes back as it was given", async () => {
  const { app } = bench();
  const metadata = { customer: "42", retries: 3, vip: true, note: null };
  assert.deepEqual((await submit(app, { metadata })).metadata, metadata);
});

Deno.test("a client's own id makes a repeat a replay, and other content a conflict", async () => {
  const { app } = bench();
  const task = { type: "any", input: { a: 1 }, id: ID.toUpperCase() };
  const first = await post(app, task);
  assert.equal(first.headers.get("idempotency-replayed"), null);
  assert.equal((await first.json()).id, ID);
  const second = await post(app, { ...task, id: ID });
  assert.deepEqual([second.status, second.headers.get("idempotency-replayed")], [202, "true"]);
  assert.equal((await second.json()).id, ID);
  const conflict = await isProblem(await post(app, { ...task, input: { a: 2 } }), "unique-conflict");
  assert.equal(conflict.errors?.[0]?.pointer, "#/id");
  assert.match(conflict.detail!, /order of keys/);
});

Deno.test("a replay of a finished task says nothing of looking again", async () => {
  const { app } = bench();
  await submit(app, { id: ID });
  await app.request(`/v1/tasks/${ID}/cancel`, { method: "POST" });
  const replay = await post(app, { type: "any", input: {}, id: ID });
  assert.equal((await replay.json()).status, "cancelled");
  assert.equal(replay.headers.get("retry-after"), null);
});

const WRONG: readonly [why: string, body: Record<string, unknown>, ...pointers: string[]][] = [
  ["no type", { type: undefined }, "#/type"],
  ["no input", { input: undefined }, "#/input"],
  ["an unknown field", { inputs: 1, "a/b~c d": 2 }, "#/inputs", "#/a~1b~0c%20d"],
  ["an id that is no UUID", { id: "../../etc/passwd" }, "#/id"],
  ["a priority out of range", { priority: 101 }, "#/priority"],
  ["a fractional priority", { priority: 0.5 }, "#/priority"],
  ["no attempts", { maxAttempts: 0 }, "#/maxAttempts"],
  ["a timeout of nothing", { timeout: "0s" }, "#/timeout"],
  ["a timeout past what timers can do", { timeout: "30d" }, "#/timeout"],
  ["a delay that is no duration", { delay: "soon" }, "#/delay"],
  ["a delay past the calendar", { delay: "99999999999999999999d" }, "#/delay"],
  ["a runAt without a zone", { runAt: "2030-01-01T00:00:00" }, "#/runAt"],
  ["a runAt past the calendar", { runAt: "9999-12-31T23:59:59-12:00" }, "#/runAt"],
  ["a delay and a runAt", { delay: "1s", runAt: "2030-01-01T00:00:00Z" }, "#/delay"],
  ["nested metadata", { metadata: { a: { b: 1 } } }, "#/metadata/a"],
  ["metadata that is a list", { metadata: [] }, "#/metadata"],
  [
    "too many metadata",
    { metadata: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i, i])) },
    "#/metadata",
  ],
  ["too much metadata", { metadata: { a: "é".repeat(9000) } }, "#/metadata"],
  ["several", { priority: "1", maxAttempts: 101 }, "#/priority", "#/maxAttempts"],
];
for (const [why, body, ...pointers] of WRONG) {
  Deno.test(`${why} is a 422 that points at it`, async () => {
    const { app, store } = bench();
    const answer = await post(app, { type: "any", input: {}, ...body });
    const { errors } = await isProblem(answer, "validation-failed");
    assert.deepEqual(errors?.map(({ pointer }) => pointer).sort(), pointers.sort());
    assert.deepEqual((await store.list("", { limit: 1 })).tasks, []);
  });
}

Deno.test("a body that is no object is a 422 that points at the whole", async () => {
  const { app } = bench();
  for (const body of ["[]", "null", "1", '"text"', "true"]) {
    const { errors } = await isProblem(await post(app, body), "validation-failed");
    assert.deepEqual(errors?.map(({ pointer }) => pointer), ["#"]);
  }
});

Deno.test("an unknown type is a 422, an unavailable one a 503 that tells why", async () => {
  const { app } = bench({ types: [typeOf("broken", undefined, "has a syntax error")] });
  const unknown = await isProblem(await post(app, { type: "nope", input: 1 }), "unknown-task-type");
  assert.equal(unknown.errors?.[0]?.pointer, "#/type");
  for (const type of ["__proto__", "constructor", "toString", ""]) {
    await isProblem(await post(app, { type, input: 1 }), "unknown-task-type");
  }
  const answer = await post(app, { type: "broken", input: 1 });
  assert.equal(answer.headers.get("retry-after"), "60");
  assert.equal((await isProblem(answer, "type-unavailable")).detail, "has a syntax error");
});

Deno.test("a wrong input is a 422 with a pointer for each place, at most fifty", async () => {
  const { app } = bench();
  const one = await post(app, { type: "send-email", input: { to: ["a@example.com", "b"] } });
  const { errors } = await isProblem(one, "validation-failed");
  assert.deepEqual(errors?.map(({ pointer }) => pointer), ["#/input/to/1", "#/input/subject"]);
  const many = await post(app, { type: "send-email", input: { to: Array(300).fill("b"), subject: "" } });
  assert.equal((await isProblem(many, "validation-failed")).errors?.length, 50);
});

Deno.test("a wrong name in a record is explained by its own schema", async () => {
  const input = z.record(z.string().regex(/^x-/, "must begin with x-"), z.string());
  const { app } = bench({ types: [typeOf("record", defineTask({ input, run: () => 1 }))] });
  const answer = await post(app, { type: "record", input: { "x-a": "", b: "" } });
  const { errors } = await isProblem(answer, "validation-failed");
  assert.deepEqual(errors, [{ pointer: "#/input/b", detail: "must begin with x-" }]);
});

Deno.test("a schema that needs await is awaited", async () => {
  const input = z.string().refine((text) => Promise.resolve(text === "yes"), "must be yes");
  const { app } = bench({ types: [typeOf("slow", defineTask({ input, run: () => 1 }))] });
  await submit(app, { type: "slow", input: "yes" });
  const answer = await post(app, { type: "slow", input: "no" });
  const { errors } = await isProblem(answer, "validation-failed");
  assert.deepEqual(errors, [{ pointer: "#/input", detail: "must be yes" }]);
});

Deno.test("a schema that throws is a 422 and is logged", async () => {
  const boom = () => {
    throw new Error("secret");
  };
  const later = z.string().refine(() => Promise.reject(new Error("secret")));
  const { app, logged } = bench({
    types: [
      typeOf("throws", defineTask({ input: z.string().transform(boom), run: () => 1 })),
      typeOf("rejects", defineTask({ input: later, run: () => 1 })),
    ],
  });
  for (const type of ["throws", "rejects"]) {
    const problem = await isProblem(await post(app, { type, input: "x" }), "validation-failed");
    assert.deepEqual(problem.errors, [{ pointer: "#/input", detail: "could not be checked" }]);
  }
  assert.equal(logged.length, 2);
});

Deno.test("a full queue is a 503 with a time to come back, and a draining service too", async () => {
  const full = bench({ bounds: { maxTasks: 1 } });
  await submit(full.app);
  const answer = await post(full.app, { type: "any", input: {} });
  assert.ok(Number(answer.headers.get("retry-after")) >= 1);
  await isProblem(answer, "queue-full");
  const draining = bench({ health: { draining: () => true, problems: () => [], notices: () => [] } });
  const refused = await post(draining.app, { type: "any", input: {} });
  assert.ok(Number(refused.headers.get("retry-after")) >= 1);
  await isProblem(refused, "draining");
});
