/** `Prefer: wait=N`: requests that wait for the end of a task or a batch. */
import assert from "node:assert/strict";
import { createAdmit } from "../../routes/admit.ts";
import { Waiters } from "../../routes/waiting/waiters.ts";
import { Service, TOLERANCE, until } from "../service.ts";
import { bearer, KeyFile } from "./key_file.ts";
import { type Bench, bench, claim, isProblem, post, type Setting, submit, type TaskBody } from "./support.ts";

const wait = (seconds: number | string, more: Record<string, string> = {}) => ({
  headers: { prefer: `wait=${seconds}`, ...more },
});

/** A bench whose waiters can be counted. */
function waiting({ waitersMax = 10_000, waitMax = 60_000, ...setting }: Setting & Partial<Waits> = {}) {
  let waiters!: Waiters;
  const made = bench({
    ...setting,
    waitersOf: (store) => waiters = new Waiters({ store, waitMax, waitersMax, drain: setting.drain }),
  });
  const waits = (count: number) => until(`${count} waiters`, () => waiters.size === count || undefined);
  return { ...made, waits };
}

interface Waits {
  readonly waitersMax: number;
  readonly waitMax: number;
}

async function succeed({ store }: Pick<Bench, "store">, type?: string): Promise<void> {
  await store.settle([{ token: await claim(store, type), to: "succeeded", result: "1" }]);
}

/** Status, what was applied, the task. */
async function told(answering: Response | Promise<Response>): Promise<[number, string | null, TaskBody]> {
  const answer = await answering;
  assert.equal(answer.headers.get("vary"), "Prefer");
  return [answer.status, answer.headers.get("preference-applied"), await answer.json()];
}

Deno.test("GET with wait is answered when the task has ended, within milliseconds", async () => {
  const made = waiting();
  const { links } = await submit(made.app);
  const answering = told(made.app.request(links.self!, wait(20)));
  await made.waits(1);
  const token = await claim(made.store);
  await made.store.report([{ token, progress: { current: 1 } }]);
  const ended = performance.now();
  await made.store.settle([{ token, to: "failed", error: { ...ERROR }, crashes: 0 }]);
  const [status, applied, task] = await answering;
  assert.ok(performance.now() - ended < 20 * TOLERANCE);
  assert.deepEqual([status, applied, task.status, task.version], [200, "wait=20", "failed", 4]);
  await made.waits(0);
});

const ERROR = { code: "handler_error", message: "no", retryable: false, attempt: 1, at: 0 };

Deno.test("GET with wait of a task that has ended is answered at once", async () => {
  const made = waiting();
  const { links } = await submit(made.app);
  await succeed(made);
  const [status, applied, task] = await told(made.app.request(links.self!, wait(20)));
  assert.deepEqual([status, applied, task.status], [200, "wait=20", "succeeded"]);
  await made.waits(0);
});

Deno.test("GET with wait answers the unfinished task when the time is over", async () => {
  const made = waiting();
  const { links } = await submit(made.app);
  const began = performance.now();
  const answer = await made.app.request(links.self!, wait(1));
  assert.ok(performance.now() - began >= 999);
  assert.equal(answer.headers.get("retry-after"), "1");
  const [status, applied, task] = await told(answer);
  assert.deepEqual([status, applied, task.status], [200, "wait=1", "queued"]);
});

Deno.test("a wait is cut to what is granted", async () => {
  const made = waiting({ waitMax: 1_000 });
  const { links } = await submit(made.app);
  assert.equal((await told(made.app.request(links.self!, wait("99999999999999999999"))))[1], "wait=1");
});

Deno.test("GET without a wait says nothing of it", async () => {
  const { app } = waiting();
  const { links } = await submit(app);
  for (const prefer of [undefined, "respond-async", "wait=0", "wait=x"]) {
    const answer = await app.request(links.self!, prefer === undefined ? {} : { headers: { prefer } });
    assert.deepEqual([answer.headers.get("vary"), answer.headers.get("preference-applied")], [null, null]);
  }
});

Deno.test("GET with wait and a tag is answered when there is another version", async () => {
  const made = waiting();
  const { links } = await submit(made.app);
  const etag = (await made.app.request(links.self!)).headers.get("etag")!;
  const answering = told(made.app.request(links.self!, wait(20, { "if-none-match": etag })));
  await made.waits(1);
  await claim(made.store);
  const [status, applied, task] = await answering;
  assert.deepEqual([status, applied, task.status], [200, "wait=20", "running"]);
  // It has changed already.
  assert.equal((await told(made.app.request(links.self!, wait(20, { "if-none-match": etag }))))[0], 200);
});

Deno.test("GET with wait and a tag is a 304 where no other version came, or none can", async () => {
  const made = waiting();
  const { links } = await submit(made.app);
  const unchanged = async (seconds: number) => {
    const etag = (await made.app.request(links.self!)).headers.get("etag")!;
    const answer = await made.app.request(links.self!, wait(seconds, { "if-none-match": etag }));
    assert.deepEqual([answer.status, answer.headers.get("vary")], [304, "Prefer"]);
    return answer.headers.get("retry-after");
  };
  assert.equal(await unchanged(1), "1");
  await succeed(made);
  assert.equal(await unchanged(20), null);
});

Deno.test("a log line wakes nobody", async () => {
  const made = waiting();
  const { links } = await submit(made.app);
  const token = await claim(made.store);
  const etag = (await made.app.request(links.self!)).headers.get("etag")!;
  const answering = made.app.request(links.self!, wait(1, { "if-none-match": etag }));
  await made.waits(1);
  await made.store.report([{ token, log: [{ at: 0, level: "info", message: "hello" }] }]);
  assert.equal((await answering).status, 304);
});

Deno.test("POST with wait answers 200 where the task has ended in time, 202 as always where not", async () => {
  const made = waiting();
  const body = { type: "any", input: {} };
  const slow = post(made.app, body, { prefer: "respond-async, wait=1" });
  const quick = post(made.app, { ...body, priority: 1 }, { prefer: 'wait="20"' });
  await made.waits(2);
  await succeed(made);
  const [status, applied, task] = await told(quick);
  assert.deepEqual([status, applied, task.status, task.result], [200, "wait=20", "succeeded", 1]);
  const answer = await slow;
  assert.deepEqual([answer.headers.get("retry-after"), answer.headers.has("location")], ["1", true]);
  const [later, , unfinished] = await told(answer);
  assert.deepEqual([later, unfinished.status], [202, "queued"]);
});

Deno.test("POST of a task that has ended already is a replay: 202, and with wait 200", async () => {
  const made = waiting();
  const { id } = await submit(made.app);
  await succeed(made);
  const body = { type: "any", input: {}, id };
  const plain = await post(made.app, body);
  assert.deepEqual([plain.status, plain.headers.get("vary")], [202, null]);
  const waited = await post(made.app, body, { prefer: "wait=20" });
  assert.deepEqual([waited.status, waited.headers.get("idempotency-replayed")], [200, "true"]);
});

Deno.test("GET of a batch waits until all of it has ended", async () => {
  const made = waiting();
  const answer = await made.app.request("/v1/tasks/batch", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ tasks: [{ type: "any", input: 1 }, { type: "any", input: 2 }] }),
  });
  const { batch } = await answer.json();
  const waited = made.app.request(`/v1/batches/${batch}`, wait(20));
  await made.waits(1);
  await succeed(made);
  await succeed(made);
  const [status, applied, ended] = await told(waited);
  assert.deepEqual([status, applied], [200, "wait=20"]);
  assert.equal((ended.counts as Record<string, number>).succeeded, 2);
});

Deno.test("who waits for what there is not is told so at once, also where it is another's", async () => {
  using file = new KeyFile();
  const [ada, bob] = [file.add("ada"), file.add("bob")];
  const made = waiting({ admit: createAdmit(file.ring(), Date.now) });
  const { id } = await (await post(made.app, { type: "any", input: {} }, bearer(ada))).json();
  for (const path of [id, "00000000-0000-0000-0000-000000000000", "nonsense"]) {
    await isProblem(await made.app.request(`/v1/tasks/${path}`, wait(20, bearer(bob))), "task-not-found");
  }
  await made.waits(0);
});

Deno.test("another owner's task with the same id wakes nobody", async () => {
  using file = new KeyFile();
  const [ada, bob] = [file.add("ada"), file.add("bob")];
  const made = waiting({ admit: createAdmit(file.ring(), Date.now) });
  const body = { type: "any", input: {}, id: "0198c1d2-0000-7000-8000-0123456789ab" };
  await post(made.app, { ...body, priority: 1 }, bearer(bob));
  const { links } = await (await post(made.app, body, bearer(ada))).json();
  const waited = told(made.app.request(links.self, wait(1, bearer(ada))));
  await made.waits(1);
  await succeed(made);
  assert.equal((await waited)[2].status, "queued");
});

Deno.test("a revoked key gets no answer to what it waited for", async () => {
  using file = new KeyFile();
  const key = file.add("ada");
  const made = waiting({ admit: createAdmit(file.ring(), Date.now) });
  const { links } = await (await post(made.app, { type: "any", input: {} }, bearer(key))).json();
  const waited = made.app.request(links.self, wait(20, bearer(key)));
  await made.waits(1);
  file.revoke(key);
  const answer = await waited;
  assert.equal(answer.headers.get("www-authenticate"), "Bearer");
  await isProblem(answer, "unauthenticated");
  await made.waits(0);
});

Deno.test("at drain all who wait are answered, and none waits any more", async () => {
  const drain = new AbortController();
  const made = waiting({ drain: drain.signal });
  const { links } = await submit(made.app);
  const answers = Array.from({ length: 50 }, () => told(made.app.request(links.self!, wait(20))));
  await made.waits(50);
  drain.abort();
  for (const answer of answers) assert.deepEqual((await answer).slice(0, 2), [200, null]);
  assert.deepEqual((await told(made.app.request(links.self!, wait(20)))).slice(0, 2), [200, null]);
});

Deno.test("beyond the bound nobody waits", async () => {
  const made = waiting({ waitersMax: 1 });
  const { links } = await submit(made.app);
  const first = told(made.app.request(links.self!, wait(20)));
  await made.waits(1);
  const [status, applied, task] = await told(made.app.request(links.self!, wait(20)));
  assert.deepEqual([status, applied, task.status], [200, null, "queued"]);
  await succeed(made);
  assert.equal((await first)[1], "wait=20");
});

Deno.test("5,000 wait with one subscription, and are answered as their tasks end", async () => {
  const made = waiting();
  let subscriptions = 0;
  const { subscribe } = made.store;
  made.store.subscribe = (listener) => {
    subscriptions++;
    const end = subscribe.call(made.store, listener);
    return () => (subscriptions--, end());
  };
  const answers: Promise<[number, string | null, TaskBody]>[] = [];
  for (let n = 0; n < 500; n++) {
    const { links } = await submit(made.app);
    for (let m = 0; m < 10; m++) answers.push(told(made.app.request(links.self!, wait(50))));
  }
  await made.waits(5_000);
  assert.equal(subscriptions, 1);
  const claims = await made.store.claim([{ type: "any", alone: false, limit: 500 }], 1e15);
  await made.store.settle(claims.map(({ token }) => ({ token, to: "succeeded", result: "1" })));
  for (const [, , task] of await Promise.all(answers)) assert.equal(task.status, "succeeded");
  await made.waits(0);
  assert.equal(subscriptions, 0);
});

Deno.test("who goes away waits no longer", async () => {
  const made = waiting();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, made.app.fetch);
  const url = `http://127.0.0.1:${server.addr.port}`;
  const { links } = await submit(made.app);
  const gone = new AbortController();
  const asked = fetch(url + links.self, { ...wait(50), signal: gone.signal });
  await made.waits(1);
  gone.abort();
  await assert.rejects(asked);
  await made.waits(0);
  await server.shutdown();
});

Deno.test("the service answers with the result of what it was given", async () => {
  await using service = await Service.start();
  const asked = await fetch(`${service.url}/v1/tasks`, {
    method: "POST",
    headers: { "content-type": "application/json", prefer: "wait=30" },
    body: JSON.stringify({ type: "sleep", input: { ms: 50 } }),
  });
  const [status, applied, task] = await told(asked);
  assert.deepEqual([status, applied, task.status], [200, "wait=30", "succeeded"]);
});

Deno.test("the service answers who waits when it is told to stop, and then stops", async () => {
  await using service = await Service.start({ DRAIN_TIMEOUT: "10s" });
  const id = await service.submit("sleep", { ms: 1_500 });
  await service.reached(id, "running");
  const waited = fetch(`${service.url}/v1/tasks/${id}`, wait(60));
  // The next one is answered behind it.
  await service.get(id);
  service.signal("SIGTERM");
  const [status, applied] = await told(waited);
  assert.deepEqual([status, applied], [200, null]);
  assert.equal((await service.program.ended).code, 0);
});
