import { deepEqual, equal, ok } from "node:assert/strict";
import type { Hono } from "hono";
import { Service } from "../service.ts";
import { bench } from "./support.ts";

const ANY = { type: "any", input: 1 };

async function submit(app: Hono, body: unknown, headers: Record<string, string> = {}) {
  const response = await app.request("/v1/tasks/batch", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  return { response, body: await response.json() };
}

Deno.test("a batch is accepted as a whole, counted and listed", async () => {
  const { app } = bench();
  const { response, body } = await submit(app, { tasks: [ANY, { ...ANY, delay: "1h" }, ANY] });
  equal(response.status, 202);
  equal(response.headers.get("location"), `/v1/batches/${body.batch}`);
  deepEqual(body.tasks.map(({ status }: { status: string }) => status), ["queued", "scheduled", "queued"]);
  deepEqual(body.tasks.map(({ batch }: { batch: string }) => batch), Array(3).fill(body.batch));
  const seen = await (await app.request(`/v1/batches/${body.batch}`)).json();
  deepEqual([seen.size, seen.counts.queued, seen.counts.scheduled, seen.finishedAt], [3, 2, 1, undefined]);
  await submit(app, { tasks: [ANY] });
  const { tasks } = await (await app.request(`/v1/tasks?batch=${body.batch}`)).json();
  deepEqual(
    tasks.map(({ id }: { id: string }) => id),
    body.tasks.map(({ id }: { id: string }) => id).toReversed(),
  );
});

Deno.test("faults of a batch are named by their places, and nothing is accepted", async () => {
  const { app, store } = bench();
  const { response, body } = await submit(app, {
    tasks: [ANY, { type: "send-email", input: { to: ["x"], subject: 1 } }, { type: "none", input: 1 }],
  });
  equal(response.status, 422);
  const pointers = body.errors.map(({ pointer }: { pointer: string }) => pointer);
  deepEqual(pointers, ["#/tasks/1/input/to/0", "#/tasks/1/input/subject", "#/tasks/2/type"]);
  deepEqual(await store.counts(), {});
});

for (
  const [what, body, pointer] of [
    ["no tasks", { tasks: [] }, "#/tasks"],
    ["10,001 tasks", { tasks: Array(10_001).fill(ANY) }, "#/tasks"],
    ["no list", {}, "#/tasks"],
    ["an unknown field", { tasks: [ANY], later: 1 }, "#/later"],
    ["a then of no type", { tasks: [ANY], then: { input: 1 } }, "#/then/type"],
    [
      "too many values in one task",
      { tasks: [ANY, { type: "any", input: Array(10_000).fill(0) }] },
      "#/tasks/1",
    ],
    [
      "a poisonous name",
      { tasks: [ANY, JSON.parse('{"type":"any","input":{"__proto__":1}}')] },
      "#/tasks/1/input/__proto__",
    ],
    ["a then that comes later", { tasks: [ANY], then: { ...ANY, delay: "1h" } }, "#/then/delay"],
    ["a then with bad input", { tasks: [ANY], then: { type: "send-email", input: 1 } }, "#/then/input"],
  ] as const
) {
  Deno.test(`a batch with ${what} is refused at ${pointer}`, async () => {
    const { response, body: { errors } } = await submit(bench().app, body);
    equal(response.status, 422);
    equal(errors[0].pointer, pointer);
  });
}

Deno.test("a batch in conflict names the task that is", async () => {
  const { app, store } = bench();
  const id = "01a20270-0000-7000-8000-000000000000";
  const unique = { ...ANY, uniqueKey: { key: "u", onConflict: "reject" } };
  await submit(app, { tasks: [{ ...ANY, id }, unique] });
  for (
    const [tasks, pointer] of [
      [[ANY, { ...ANY, input: 2, id }], "#/tasks/1/id"],
      [[ANY, ANY, unique], "#/tasks/2/uniqueKey/key"],
    ] as const
  ) {
    const { response, body: { code, errors } } = await submit(app, { tasks });
    deepEqual([response.status, code, errors[0].pointer], [409, "unique-conflict", pointer]);
  }
  equal((await store.list("", { limit: 9 })).tasks.length, 2);
});

Deno.test("a batch of tasks that were there already is the batch that they are in, or none", async () => {
  const { app } = bench();
  const id = (n: number) => `01a20270-0000-7000-8000-00000000000${n}`;
  const first = await submit(app, { tasks: [{ ...ANY, id: id(1) }, { ...ANY, id: id(2) }] });
  const again = await submit(app, { tasks: [{ ...ANY, id: id(2) }] });
  deepEqual([again.response.status, again.body.batch], [202, first.body.batch]);
  await submit(app, { tasks: [{ ...ANY, id: id(3) }] });
  const mixed = await submit(app, { tasks: [{ ...ANY, id: id(1) }, { ...ANY, id: id(3) }] });
  deepEqual([mixed.response.status, mixed.body.batch, mixed.response.headers.get("location")], [
    202,
    undefined,
    null,
  ]);
});

Deno.test("a then is refused where another task may stand for one of the batch: it would not wait for it", async () => {
  const { app, store } = bench();
  const unique = (onConflict?: string) => ({ ...ANY, uniqueKey: { key: "u", onConflict } });
  const { response, body } = await submit(app, { tasks: [ANY, unique()], then: ANY });
  deepEqual([response.status, body.errors[0].pointer], [422, "#/tasks/1/uniqueKey/onConflict"]);
  equal((await store.list("", { limit: 9 })).tasks.length, 0);
  equal((await submit(app, { tasks: [ANY, unique("replace")], then: ANY })).response.status, 202);
});

Deno.test("a repeated batch answers the same tasks and the same batch", async () => {
  const { app } = bench();
  const key = { "idempotency-key": "b" };
  const first = await submit(app, { tasks: [ANY, ANY] }, key);
  const again = await submit(app, { tasks: [ANY, ANY] }, key);
  deepEqual(again.body, first.body);
  equal(again.response.headers.get("idempotency-replayed"), "true");
  equal((await submit(app, { tasks: [ANY] }, key)).response.status, 422);
});

Deno.test("a batch that is unknown, or no id, is 404", async () => {
  const { app } = bench();
  for (const id of ["01a20270-0000-7000-8000-000000000000", "x"]) {
    const response = await app.request(`/v1/batches/${id}`);
    deepEqual([response.status, (await response.json()).code], [404, "batch-not-found"]);
  }
});

Deno.test("a batch runs, is waited for, and its then runs once behind it", async () => {
  await using service = await Service.start();
  const then = { type: "sleep", input: { ms: 2 } };
  const response = await fetch(`${service.url}/v1/tasks/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ tasks: Array(50).fill({ type: "sleep", input: { ms: 1 } }), then }),
  });
  const { batch } = await response.json();
  const ended = await fetch(`${service.url}/v1/batches/${batch}`, { headers: { prefer: "wait=30" } });
  const { counts, finishedAt, then: next } = await ended.json();
  deepEqual([counts.succeeded, ended.headers.get("preference-applied")], [50, "wait=30"]);
  ok(finishedAt);
  const last = await fetch(`${service.url}/v1/tasks/${next}`, { headers: { prefer: "wait=30" } });
  equal((await last.json()).status, "succeeded");
});

Deno.test("10,000 tasks in one batch are accepted, and others are answered meanwhile", async () => {
  await using service = await Service.start();
  const tasks = Array.from({ length: 10_000 }, (_, ms) => ({ type: "sleep", input: { ms } }));
  let busy = true;
  const submitted = fetch(`${service.url}/v1/tasks/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ tasks }),
  }).finally(() => busy = false);
  let answers = 0;
  for (; busy; answers++) await (await fetch(`${service.url}/livez`)).body?.cancel();
  const response = await submitted;
  equal(response.status, 202);
  equal((await response.json()).tasks.length, 10_000);
  ok(answers > 5, `${answers} answers meanwhile`);
});
