import assert from "node:assert/strict";
import { ANY, bench, claim, isProblem, submit, typeOf } from "./support.ts";

const NOBODY = "00000000-0000-0000-0000-000000000000";
const ID = "0198c1d2-0000-7000-8000-0123456789ab";
const ERROR = {
  code: "handler_error",
  message: "no",
  retryable: false,
  attempt: 1,
  at: Date.UTC(2030, 0, 1),
};

/** Of the version of a task that was created when the clock of the bench starts. */
const tag = (version: number) => `"${Date.UTC(2030, 0, 1).toString(36)}-${version}"`;

Deno.test("a task is read with its version as a weak ETag", async () => {
  const { app } = bench();
  const task = await submit(app);
  const answer = await app.request(task.links.self!);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("etag"), `W/${tag(1)}`);
  assert.equal(answer.headers.get("cache-control"), "private, no-cache");
  assert.equal(answer.headers.get("retry-after"), "1");
  assert.deepEqual(await answer.json(), task);
});

Deno.test("If-None-Match is compared weakly, and its 304 keeps Retry-After", async () => {
  const { app } = bench();
  const { links } = await submit(app);
  for (const tags of [`W/${tag(1)}`, tag(1), "*", `"7", W/${tag(1)}`]) {
    const answer = await app.request(links.self!, { headers: { "if-none-match": tags } });
    assert.equal(answer.status, 304, tags);
    assert.equal(answer.headers.get("retry-after"), "1");
    assert.equal(answer.headers.get("etag"), `W/${tag(1)}`);
    assert.equal(await answer.text(), "");
  }
  const others = [
    `W/${tag(2)}`,
    'W/"1"',
    "1",
    "",
    "garbage\t,,",
    '"a,*,b"',
    "*, *",
    `"${tag(1).slice(1, -1)},"`,
  ];
  for (const tags of others) {
    assert.equal((await app.request(links.self!, { headers: { "if-none-match": tags } })).status, 200, tags);
  }
});

Deno.test("a finished task's 304 says nothing of coming back", async () => {
  const { app, store } = bench();
  const { links } = await submit(app);
  await store.settle([{ token: await claim(store), to: "succeeded", result: "1" }]);
  const etag = `W/${tag(3)}`;
  for (const method of ["GET", "HEAD"]) {
    const answer = await app.request(links.self!, { method, headers: { "if-none-match": etag } });
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [304, null]);
    assert.deepEqual([answer.headers.get("etag"), answer.headers.get("cache-control")], [
      etag,
      "private, no-cache",
    ]);
  }
});

Deno.test("a tag of a task that was deleted is not the tag of the next one with its id", async () => {
  const { app, pass } = bench();
  const { links } = await submit(app, { id: ID });
  const etag = (await app.request(links.self!)).headers.get("etag")!;
  await app.request(links.cancel!, { method: "POST" });
  await app.request(links.self!, { method: "DELETE" });
  pass(1);
  assert.equal((await submit(app, { id: ID })).version, 1);
  assert.equal((await app.request(links.self!, { headers: { "if-none-match": etag } })).status, 200);
});

Deno.test("a succeeded task shows its result as JSON, and the result can be had alone", async () => {
  const { app, store } = bench();
  const { links } = await submit(app);
  const unfinished = await app.request(links.result!);
  assert.equal(unfinished.headers.get("retry-after"), "1");
  await isProblem(unfinished, "result-not-ready");
  await store.settle([{ token: await claim(store), to: "succeeded", result: '{"é":[1,null]}' }]);
  const answer = await app.request(links.self!);
  assert.equal(answer.headers.get("retry-after"), null);
  const task = await answer.json();
  assert.deepEqual([task.status, task.result], ["succeeded", { é: [1, null] }]);
  assert.ok(task.startedAt && task.finishedAt && task.expiresAt);
  const result = await app.request(links.result!);
  assert.equal(result.headers.get("content-type"), "application/json");
  assert.equal(await result.text(), '{"é":[1,null]}');
});

Deno.test("a task that has finished without a result says so, and not to look again", async () => {
  const { app, store } = bench();
  const silent = await submit(app);
  await store.settle([{ token: await claim(store), to: "succeeded", result: undefined }]);
  const failed = await submit(app);
  await store.settle([{ token: await claim(store), to: "failed", error: ERROR, crashes: 0 }]);
  const cancelled = await submit(app);
  await app.request(cancelled.links.cancel!, { method: "POST" });
  for (const [task, why] of [[silent, /without/], [failed, /failed/], [cancelled, /cancelled/]] as const) {
    const answer = await app.request(task.links.result!);
    assert.equal(answer.headers.get("retry-after"), null);
    assert.match((await isProblem(answer, "result-not-ready")).detail!, why);
  }
});

Deno.test("progress and errors are shown, with an error's details under their own name", async () => {
  const { app, store } = bench();
  const { links } = await submit(app);
  const token = await claim(store);
  await store.report([{ token, progress: { current: 40, total: 100, message: 'a "quote"' } }]);
  const running = await (await app.request(links.self!)).json();
  assert.deepEqual(running.progress, { current: 40, total: 100, message: 'a "quote"' });
  const error = { ...ERROR, details: { code: "inner", signal: "SIGSEGV" } };
  await store.settle([{ token, to: "failed", error, crashes: 0 }]);
  const failed = await (await app.request(links.self!)).json();
  assert.deepEqual(failed.error, { ...error, at: "2030-01-01T00:00:00.000Z" });
});

Deno.test("logs are lines in the order in which they were written", async () => {
  const { app, store } = bench();
  const { links } = await submit(app);
  assert.deepEqual(await (await app.request(links.logs!)).json(), { lines: [] });
  const at = Date.UTC(2030, 0, 1);
  const log = [{ at, level: "info" as const, message: "one\n\u001b[31m" }, {
    at,
    level: "warn" as const,
    message: "2",
  }];
  await store.report([{ token: await claim(store), log }]);
  const { lines } = await (await app.request(links.logs!)).json();
  const time = "2030-01-01T00:00:00.000Z";
  assert.deepEqual(lines, log.map((line) => ({ ...line, at: time })));
});

Deno.test("cancel ends a queued task at once, asks a running one, and may be repeated", async () => {
  const { app, store } = bench();
  const cancel = (path: string) => app.request(path, { method: "POST" });
  const queued = await submit(app);
  for (let turn = 0; turn < 2; turn++) {
    const answer = await cancel(queued.links.cancel!);
    assert.deepEqual([answer.status, (await answer.json()).status], [200, "cancelled"]);
  }
  const running = await submit(app);
  const token = await claim(store);
  for (let turn = 0; turn < 2; turn++) {
    const answer = await cancel(running.links.cancel!);
    assert.deepEqual([answer.status, answer.headers.get("retry-after")], [202, "1"]);
    const { status, cancelRequestedAt } = await answer.json();
    assert.deepEqual([status, cancelRequestedAt], ["running", "2030-01-01T00:00:00.000Z"]);
  }
  await store.settle([{ token, to: "succeeded", result: undefined }]);
  await isProblem(await cancel(running.links.cancel!), "task-already-finished");
});

Deno.test("retry queues a failed task anew, and no other", async () => {
  const { app, store } = bench();
  const retry = (path: string) => app.request(path, { method: "POST" });
  const task = await submit(app);
  await isProblem(await retry(task.links.retry!), "task-not-finished");
  await store.settle([{ token: await claim(store), to: "failed", error: ERROR, crashes: 0 }]);
  const answer = await retry(task.links.retry!);
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get("location"), task.links.self);
  const { id, status, attempt, error } = await answer.json();
  assert.deepEqual([id, status, attempt, error], [task.id, "queued", 0, undefined]);
  await store.settle([{ token: await claim(store), to: "succeeded", result: "1" }]);
  await isProblem(await retry(task.links.retry!), "task-already-finished");
});

Deno.test("retry of a task whose type is gone or cannot run now is refused as its POST would be", async () => {
  const registry = new Map([typeOf("any", ANY)]);
  const { app } = bench({ registry });
  const { links } = await submit(app);
  await app.request(links.cancel!, { method: "POST" });
  registry.set(...typeOf("any", undefined, "has a syntax error"));
  const answer = await app.request(links.retry!, { method: "POST" });
  assert.equal(answer.headers.get("retry-after"), "60");
  assert.equal((await isProblem(answer, "type-unavailable")).detail, "has a syntax error");
  registry.delete("any");
  await isProblem(await app.request(links.retry!, { method: "POST" }), "unknown-task-type");
  assert.equal((await (await app.request(links.self!)).json()).status, "cancelled");
});

Deno.test("DELETE forgets a finished task, and refuses an unfinished one", async () => {
  const { app } = bench();
  const { links } = await submit(app);
  await isProblem(await app.request(links.self!, { method: "DELETE" }), "task-not-finished");
  await app.request(links.cancel!, { method: "POST" });
  const answer = await app.request(links.self!, { method: "DELETE" });
  assert.deepEqual([answer.status, await answer.text()], [204, ""]);
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  await isProblem(await app.request(links.self!), "task-not-found");
});

const VERBS = [["GET", ""], ["DELETE", ""], ["GET", "/result"], ["GET", "/logs"], ["POST", "/cancel"], [
  "POST",
  "/retry",
]];
for (const [method, path] of VERBS) {
  Deno.test(`${method} …${path} of no task is 404, whatever the id looks like`, async () => {
    const { app } = bench();
    const ids = [
      NOBODY,
      "1",
      "x".repeat(5000),
      "%2e%2e%2f",
      "%00",
      "%E0%A4%A",
      "é",
      "..%5c",
      `${NOBODY}x`,
      "null",
    ];
    for (const id of ids) {
      const answer = await app.request(`/v1/tasks/${id}${path}`, { method });
      await isProblem(answer, "task-not-found");
    }
  });
}

Deno.test("another owner's task is byte for byte one that never was", async () => {
  const { app, store } = bench();
  const id = ID;
  const read = async () =>
    await (await app.request(`/v1/tasks/${id}`, { headers: { "x-request-id": "r" } })).text();
  const before = await read();
  const foreign = { id, type: "any", owner: "other", input: "1", priority: 0, maxAttempts: 1, timeout: 1000 };
  await store.enqueue([foreign]);
  assert.equal(await read(), before);
});

Deno.test("ids are taken in either case", async () => {
  const { app } = bench();
  const { id } = await submit(app);
  assert.equal((await (await app.request(`/v1/tasks/${id.toUpperCase()}`)).json()).id, id);
});

Deno.test("an expired task is 410 for a while", async () => {
  const { app, store, pass } = bench();
  const { links } = await submit(app);
  await app.request(links.cancel!, { method: "POST" });
  pass(60_001);
  assert.equal(await store.sweep(10), 1);
  await isProblem(await app.request(links.self!), "task-expired");
  await isProblem(await app.request(links.result!), "task-expired");
});
