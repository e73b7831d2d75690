/** Streams of server-sent events: of a task, of a batch, and of all of one's tasks. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Hono } from "hono";
import type { Token } from "../../queue/store.ts";
import type { LogLine } from "../../queue/task.ts";
import { createAdmit } from "../../routes/admit.ts";
import { toldOf } from "../../routes/events/told.ts";
import { Streams } from "../../routes/rate.ts";
import { until } from "../service.ts";
import { bearer, KeyFile } from "./key_file.ts";
import { gist, Listening } from "./listening.ts";
import { type Bench, bench, claim, isProblem, post, submit } from "./support.ts";

const line = (message: string): LogLine => ({ at: 0, level: "info", message });
const ERROR = { code: "handler_error", message: "no", retryable: false, attempt: 1, at: 0 };
/** Lets what has happened be told. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

async function succeed({ store }: Pick<Bench, "store">): Promise<void> {
  await store.settle([{ token: await claim(store), to: "succeeded", result: "1" }]);
}

async function submitBatch(app: Hono, size: number): Promise<string> {
  const answer = await app.request("/v1/tasks/batch", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ tasks: Array.from({ length: size }, (_, n) => ({ type: "any", input: n })) }),
  });
  return (await answer.json()).batch;
}

Deno.test("a task's stream tells all that happens to it, and ends with its end", async () => {
  const { app, store } = bench();
  const task = await submit(app);
  const answer = await app.request(task.links.events!);
  assert.equal(answer.headers.get("content-type"), "text/event-stream");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.equal(answer.headers.get("x-accel-buffering"), "no");
  await answer.body!.cancel();

  await using stream = await Listening.to(app, task.links.events!);
  const [first] = await stream.take(1);
  assert.deepEqual(JSON.parse(first!.data), task);
  const token = await claim(store);
  await store.report([{ token, log: [line("a"), line("b")], progress: { current: 1 } }]);
  await store.cancel("", task.id);
  await store.report([{ token, log: [line("é\r\n\n: x\ndata: y")] }]);
  await store.settle([{ token, to: "failed", error: ERROR, crashes: 0 }]);
  assert.deepEqual((await stream.rest()).map(gist), [
    "task.updated running",
    "task.log a",
    "task.log b",
    "task.progress 1",
    "task.updated running",
    "task.log é\r\n\n: x\ndata: y",
    "task.failed failed",
  ]);
  assert.equal(stream.retry, 2_000);
  const ids = stream.taken.map(({ id }) => id.split("-")[1]);
  assert.deepEqual(ids, ["1.0", "2.0", "2.1", "2.2", "3.2", "4.2", "4.3", "5.3"]);
  const { data } = stream.taken[2]!;
  assert.deepEqual(JSON.parse(data), {
    task: task.id,
    at: "1970-01-01T00:00:00.000Z",
    level: "info",
    message: "a",
  });
  assert.deepEqual(
    JSON.parse(stream.taken.at(-1)!.data),
    await (await app.request(task.links.self!)).json(),
  );
});

for (
  const [to, settled] of Object.entries(
    {
      succeeded: { to: "succeeded", result: "[1,\n2]" },
      failed: { to: "failed", error: ERROR, crashes: 0 },
      cancelled: { to: "cancelled" },
    } as const,
  )
) {
  Deno.test(`a ${to} task is told of once, and never to who has heard it`, async () => {
    const { app, store } = bench();
    const { links } = await submit(app);
    await store.settle([{ token: await claim(store), ...settled }]);
    await using stream = await Listening.to(app, links.events!);
    assert.deepEqual((await stream.rest()).map(gist), [`task.${to} ${to}`]);
    const again = await stream.connect();
    assert.deepEqual([again.status, await again.text()], [204, ""]);
  });
}

Deno.test("a stream that begins late begins with the log's lines and the task as it is", async () => {
  const { app, store } = bench();
  const { links } = await submit(app);
  const token = await claim(store);
  await store.report([{ token, log: [line("a"), line("b")], progress: { current: 1 } }]);
  await using stream = await Listening.to(app, links.events!);
  assert.deepEqual((await stream.take(3)).map(gist), ["task.log a", "task.log b", "task.updated running"]);
  await store.report([{ token, log: [line("c")] }]);
  assert.deepEqual((await stream.take(1)).map(gist), ["task.log c"]);
});

Deno.test("a stream may break off within its beginning, and goes on there", async () => {
  const { app, store } = bench();
  const { links } = await submit(app);
  const token = await claim(store);
  await store.report([{ token, log: [line("a"), line("b")] }]);
  await using stream = await Listening.to(app, links.events!);
  assert.deepEqual((await stream.take(1)).map(gist), ["task.log a"]);
  await stream.drop();
  await stream.connect();
  assert.deepEqual((await stream.take(2)).map(gist), ["task.log b", "task.updated running"]);
});

Deno.test("who comes back after a gap that nobody kept gets the task as it is, and no line twice", async () => {
  const first = bench();
  const { links } = await submit(first.app);
  const token = await claim(first.store);
  await first.store.report([{ token, log: [line("a")] }]);
  await using stream = await Listening.to(first.app, links.events!);
  await stream.take(2);
  await stream.drop();
  await first.store.report([{ token, log: [line("b")], progress: { current: 1 } }]);
  await first.store.report([{ token, log: [line("c")], progress: { current: 2 } }]);
  // Another process with the same store: nothing was kept there.
  const { app } = bench({ store: first.store });
  await using later = new Listening(app, links.events!);
  later.taken.push(...stream.taken);
  assert.equal((await later.connect()).status, 200);
  assert.deepEqual((await later.take(3)).map(gist), ["task.log b", "task.log c", "task.updated running"]);
});

Deno.test("where only lines were missed, the lines are all that is told, whoever kept them", async () => {
  const first = bench();
  const { links } = await submit(first.app);
  const token = await claim(first.store);
  await using stream = await Listening.to(first.app, links.events!);
  await stream.take(1);
  await first.store.report([{ token, log: [line("a"), line("b")] }]);
  const { app } = bench({ store: first.store });
  await using later = new Listening(app, links.events!);
  later.taken.push(...stream.taken);
  await later.connect();
  await first.store.report([{ token, progress: { current: 3 } }]);
  assert.deepEqual((await later.take(3)).map(gist), ["task.log a", "task.log b", "task.progress 3"]);
});

Deno.test("an id of no use begins anew", async () => {
  const { app } = bench();
  const { links } = await submit(app);
  for (const id of ["x", "0-1.0", "zzzzzzzzz-1.0", "1.0", "9".repeat(99), "kkkkkkkk-9999999999.9999999999"]) {
    await using stream = await Listening.to(app, links.events!, { "last-event-id": id });
    assert.deepEqual((await stream.take(1)).map(gist), ["task.updated queued"], id);
  }
  await using all = await Listening.to(app, "/v1/events", { "last-event-id": "00000000-1" });
  assert.equal((await all.take(1))[0]!.event, "tasks.counted");
});

Deno.test("a task that was made anew with the same id is another one", async () => {
  const { app, store, pass } = bench();
  const id = "0198c1d2-0000-7000-8000-0123456789ab";
  const { links } = await submit(app, { id });
  await using stream = await Listening.to(app, links.events!);
  await succeed({ store });
  await stream.rest();
  await store.remove("", id);
  pass(1);
  await submit(app, { id });
  assert.equal((await stream.connect()).status, 200);
  assert.deepEqual((await stream.take(1)).map(gist), ["task.updated queued"]);
});

Deno.test("a task that is tried again by hand can be followed on", async () => {
  const { app, store } = bench();
  const { id, links } = await submit(app);
  await using stream = await Listening.to(app, links.events!);
  await store.settle([{ token: await claim(store), to: "failed", error: ERROR, crashes: 0 }]);
  assert.equal((await stream.rest()).at(-1)!.event, "task.failed");
  await store.retry("", id);
  assert.equal((await stream.connect()).status, 200);
  await succeed({ store });
  assert.deepEqual((await stream.rest()).map(gist), [
    "task.updated queued",
    "task.updated running",
    "task.succeeded succeeded",
  ]);
});

Deno.test("a batch's stream tells of all of its tasks, and ends with the batch", async () => {
  const { app, store } = bench();
  const batch = await submitBatch(app, 2);
  await submit(app, { priority: -1 });
  await using stream = await Listening.to(app, `/v1/batches/${batch}/events`);
  const [first] = await stream.take(1);
  assert.equal(first!.event, "batch.updated");
  assert.deepEqual(JSON.parse(first!.data), await (await app.request(`/v1/batches/${batch}`)).json());
  await succeed({ store });
  await stream.take(1);
  await stream.drop();
  await succeed({ store });
  await stream.connect();
  const rest = await stream.rest();
  assert.deepEqual(rest.map(({ event }) => event), [
    "task.succeeded",
    "task.updated",
    "task.succeeded",
    "batch.finished",
  ]);
  assert.deepEqual(
    JSON.parse(rest.at(-1)!.data),
    await (await app.request(`/v1/batches/${batch}`)).json(),
  );
  assert.equal((await stream.connect()).status, 204);
  await using late = await Listening.to(app, `/v1/batches/${batch}/events`);
  assert.deepEqual((await late.rest()).map(({ event }) => event), ["batch.finished"]);
});

Deno.test("a batch's stream that is open when it ends is told its end", async () => {
  const { app, store } = bench();
  const batch = await submitBatch(app, 1);
  await using stream = await Listening.to(app, `/v1/batches/${batch}/events`);
  await succeed({ store });
  assert.equal((await stream.rest()).at(-1)!.event, "batch.finished");
});

Deno.test("the stream of all tasks begins with how many there are, and tells of every one", async () => {
  const { app, store } = bench();
  await submit(app);
  await using stream = await Listening.to(app, "/v1/events");
  const [first] = await stream.take(1);
  const { counts, types } = await (await app.request("/v1/stats")).json();
  assert.deepEqual([first!.event, JSON.parse(first!.data)], ["tasks.counted", { counts, types }]);
  await submit(app);
  await succeed({ store });
  await stream.take(1);
  await stream.drop();
  await submit(app);
  await stream.connect();
  assert.deepEqual((await stream.take(3)).map(gist), [
    "task.updated running",
    "task.succeeded succeeded",
    "task.updated queued",
  ]);
});

Deno.test("who missed more than is kept of all tasks begins with how many there are", async () => {
  const { app, store } = bench();
  const { id } = await submit(app);
  const token = await claim(store);
  await using stream = await Listening.to(app, "/v1/events");
  await stream.take(1);
  await stream.drop();
  const lines = Array.from({ length: 10_001 }, () => line("x"));
  await store.report([{ token, log: lines }]);
  await turn();
  await stream.connect();
  assert.equal((await stream.take(1))[0]!.event, "tasks.counted");
  await store.cancel("", id);
  assert.equal((await stream.take(1))[0]!.event, "task.updated");
});

Deno.test("who missed more than is sent in one go gets what has come of it", async () => {
  const { app, store } = bench();
  const { links } = await submit(app);
  const token = await claim(store);
  await using stream = await Listening.to(app, links.events!);
  await stream.take(1);
  await stream.drop();
  for (let current = 1; current <= 600; current++) await store.report([{ token, progress: { current } }]);
  await stream.connect();
  const [now] = await stream.take(1);
  assert.deepEqual([now!.event, JSON.parse(now!.data).progress], ["task.updated", { current: 600 }]);
});

Deno.test("whatever connections are lost, no event is lost or told twice", async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constantFrom("submit", "claim", "cancel", "retry", "end", "late"), task: fc.nat(2) }),
    fc.record({ do: fc.constant("report"), task: fc.nat(2), lines: fc.nat(3), progress: fc.boolean() }),
    fc.record({ do: fc.constant("take"), count: fc.nat(5) }),
    fc.record({ do: fc.constant("drop"), count: fc.nat(5) }),
  );
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60, size: "max" }), async (steps) => {
    const made = bench({ streams: new Streams(100) });
    const { app, store } = made;
    const told: string[] = [];
    const tasks: { id: string; token?: Token }[] = [];
    const end = store.subscribe((changes) =>
      told.push(...changes.flatMap((change) => toldOf(change)).map(({ text }) => text))
    );
    await using all = await Listening.to(app, "/v1/events");
    await all.take(1);
    const streams: { stream: Listening; events: string; over: boolean }[] = [];
    /** All that is to be heard and has not been. */
    const pending = () => told.length - (all.taken.length - 1);
    for (const next of steps) {
      const task = "task" in next ? tasks[next.task] : undefined;
      switch (next.do) {
        case "submit": {
          if (tasks.length > 2) break;
          const { id, links } = await submit(app, { maxAttempts: 1 });
          tasks.push({ id });
          const stream = await Listening.to(app, links.events!);
          await stream.take(1);
          streams.push({ stream, events: links.events!, over: false });
          break;
        }
        case "claim": {
          const [claimed] = await store.claim([{ type: "any", alone: false, limit: 1 }], 1e15);
          const mine = tasks.find(({ id }) => id === claimed?.task.id);
          if (mine !== undefined) mine.token = claimed!.token;
          break;
        }
        case "report":
          if (task?.token === undefined || !("lines" in next)) break;
          await store.report([{
            token: task.token,
            log: Array.from({ length: next.lines }, (_, n) => line(`${told.length} ${n}`)),
            progress: next.progress ? { current: told.length } : undefined,
          }]);
          break;
        case "cancel":
          if (task !== undefined) await store.cancel("", task.id).catch(() => {});
          break;
        case "retry":
          if (task !== undefined) await store.retry("", task.id).catch(() => {});
          break;
        case "end":
          if (task?.token === undefined) break;
          await store.settle([{ token: task.token, to: "failed", error: ERROR, crashes: 0 }]);
          break;
        case "take":
          if ("count" in next) await all.take(Math.min(next.count, pending()));
          break;
        case "drop":
          if (!("count" in next)) break;
          await turn();
          await all.take(Math.min(next.count, pending()));
          await all.drop();
          await all.connect();
          for (const one of streams) {
            for (let n = 0; n < next.count && !one.over; n++) {
              const { events } = one;
              const heard = one.stream.taken.length;
              if (heard >= told.filter((text) => text.includes(events.split("/")[3]!)).length) break;
              // It has ended with an end that was taken back since.
              if (await one.stream.next() === undefined) break;
            }
            await one.stream.drop();
            one.over = (await one.stream.connect()).status === 204;
          }
          break;
      }
      await turn();
    }
    await all.take(pending());
    assert.deepEqual(all.taken.slice(1).map(textOf), told);
    for (const { stream, events, over } of streams) {
      const mine = told.filter((text) => text.includes(events.split("/")[3]!));
      while (!over && stream.taken.length < mine.length) {
        if (await stream.next() === undefined) assert.equal((await stream.connect()).status, 200);
      }
      assert.deepEqual(stream.taken.map(textOf), mine);
      await stream.drop();
    }
    end();
  });
  await fc.assert(property, { numRuns: 30 });
});

function textOf({ event, data }: { event: string; data: string }): string {
  return `event: ${event}\ndata: ${data}\n\n`;
}

Deno.test("nobody is told of another owner's tasks", async () => {
  using file = new KeyFile();
  const [ada, bob] = [file.add("ada"), file.add("bob")];
  const { app } = bench({ admit: createAdmit(file.ring(), Date.now) });
  const body = { type: "any", input: {}, id: "0198c1d2-0000-7000-8000-0123456789ab" };
  await using all = await Listening.to(app, "/v1/events", bearer(bob));
  await all.take(1);
  const { links } = await (await post(app, body, bearer(ada))).json();
  await isProblem(await app.request(links.events, { headers: bearer(bob) }), "task-not-found");
  await isProblem(
    await app.request("/v1/batches/0198c1d2-0000-7000-8000-0123456789ab/events", { headers: bearer(bob) }),
    "batch-not-found",
  );
  await isProblem(await app.request("/v1/events"), "unauthenticated");
  const mine = await (await post(app, { ...body, input: "bob's" }, bearer(bob))).json();
  await using his = await Listening.to(app, mine.links.events, bearer(bob));
  const hers = await Listening.to(app, links.events, bearer(ada));
  await app.request(links.cancel, { method: "POST", headers: bearer(ada) });
  assert.deepEqual((await hers.rest()).map(gist), ["task.updated queued", "task.cancelled cancelled"]);
  await app.request(mine.links.cancel, { method: "POST", headers: bearer(bob) });
  assert.deepEqual((await his.rest()).map(gist), ["task.updated queued", "task.cancelled cancelled"]);
  assert.deepEqual((await all.take(2)).map(gist), ["task.updated queued", "task.cancelled cancelled"]);
});

Deno.test("a revoked key's streams end, and a new one is refused", async () => {
  using file = new KeyFile();
  const key = file.add("ada");
  const { app } = bench({ admit: createAdmit(file.ring(), Date.now) });
  await using stream = await Listening.to(app, "/v1/events", bearer(key));
  await stream.take(1);
  file.revoke(key);
  assert.deepEqual(await stream.rest(), []);
  await isProblem(await stream.connect(), "unauthenticated");
});

Deno.test("a key has so many streams, however they ended, and the service has so many", async () => {
  using file = new KeyFile();
  const [ada, bob] = [file.add("ada"), file.add("bob")];
  const { app, store } = bench({
    admit: createAdmit(file.ring(), Date.now),
    streams: new Streams(2),
    limits: { streamsMax: 3 },
  });
  const { links } = await (await post(app, { type: "any", input: {} }, bearer(ada))).json();
  const refused = async (key: string) => {
    const answer = await app.request("/v1/events", { headers: bearer(key) });
    assert.equal(answer.headers.get("retry-after"), "5");
    await isProblem(answer, "rate-limited");
  };
  await using one = await Listening.to(app, "/v1/events", bearer(ada));
  const two = await Listening.to(app, links.events, bearer(ada));
  await refused(ada);
  await succeed({ store });
  await two.rest();
  // A HEAD, what is over, and what never was hold nothing.
  for (const path of ["/v1/events", links.events, "/v1/tasks/x/events"]) {
    const headers = { ...bearer(ada), "last-event-id": two.lastId };
    await (await app.request(path, { method: "HEAD", headers })).body?.cancel();
  }
  await using three = await Listening.to(app, "/v1/events", bearer(ada));
  await refused(ada);
  await using four = await Listening.to(app, "/v1/events", bearer(bob));
  await refused(bob);
  await Promise.all([one, three, four].map((stream) => stream.drop()));
  await using _five = await Listening.to(app, "/v1/events", bearer(ada));
});

Deno.test("at drain all streams end and ask to come back later; who comes is told how it is", async () => {
  const drain = new AbortController();
  const { app, store } = bench({ drain: drain.signal });
  const { links } = await submit(app);
  await using stream = await Listening.to(app, links.events!);
  await stream.take(1);
  const token = await claim(store);
  await stream.take(1);
  drain.abort();
  assert.deepEqual(await stream.rest(), []);
  await store.report([{ token, progress: { current: 1 } }]);
  assert.equal((await stream.connect()).status, 200);
  assert.deepEqual((await stream.rest()).map(gist), ["task.progress 1"]);
  assert.equal(stream.retry, 5_000);
});

Deno.test("a reader that does not read is dropped, and goes on when it comes back", async () => {
  const { app, store } = bench();
  const { links } = await submit(app);
  const token = await claim(store);
  await using idle = await Listening.to(app, links.events!);
  await using keen = await Listening.to(app, links.events!);
  await keen.take(1);
  const pieces = 40;
  for (let n = 0; n < pieces; n++) {
    await store.report([{ token, log: [line(String(n % 10).repeat(10_000))] }]);
    await keen.take(1);
  }
  assert.deepEqual(await idle.rest(), []);
  await idle.connect();
  await store.settle([{ token, to: "succeeded", result: "1" }]);
  assert.equal((await idle.rest()).at(-1)!.event, "task.succeeded");
});

Deno.test("a burst drops nobody who reads, unless it is more than anybody should be sent", async () => {
  const { app, store } = bench({ bounds: { maxBytes: 1e9, maxTasks: 100_000 } });
  await using stream = await Listening.to(app, "/v1/events");
  await stream.take(1);
  await submitBatch(app, 2_000);
  assert.equal((await stream.take(2_000)).length, 2_000);
  const claims = await store.claim([{ type: "any", alone: false, limit: 5 }], 1e15);
  const result = JSON.stringify("x".repeat(1_000_000));
  await store.settle(claims.map(({ token }) => ({ token, to: "succeeded", result })));
  assert.equal((await stream.rest()).length, 0);
  await stream.connect();
  assert.equal((await stream.take(1))[0]!.event, "tasks.counted");
});

Deno.test("nothing is left of streams that have ended but what those who come back need", async () => {
  const made = bench();
  let subscriptions = 0;
  const { subscribe } = made.store;
  made.store.subscribe = (listener) => {
    subscriptions++;
    const end = subscribe.call(made.store, listener);
    return () => (subscriptions--, end());
  };
  await isProblem(await made.app.request("/v1/tasks/x/events"), "task-not-found");
  assert.equal(subscriptions, 0);
  const { id, links } = await submit(made.app);
  await using one = await Listening.to(made.app, links.events!);
  await using two = await Listening.to(made.app, links.events!);
  await using three = await Listening.to(made.app, "/v1/events");
  assert.equal(subscriptions, 1);
  await Promise.all([one, two, three].map((stream) => stream.drop()));
  assert.equal(subscriptions, 1);
  made.pass(60_001);
  await made.store.cancel("", id);
  await turn();
  assert.equal(subscriptions, 0);
});

Deno.test("a client that goes away frees its place", async () => {
  const made = bench({ limits: { streamsMax: 1 } });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, made.app.fetch);
  const url = `http://127.0.0.1:${server.addr.port}/v1/events`;
  const gone = new AbortController();
  const answer = await fetch(url, { signal: gone.signal });
  assert.equal(answer.status, 200);
  const refused = await fetch(url);
  assert.equal(refused.status, 429);
  await refused.body?.cancel();
  gone.abort();
  await assert.rejects(answer.text());
  await until("a free place", async () => {
    const again = await fetch(url);
    await again.body!.cancel();
    return again.status === 200 || undefined;
  });
  await server.shutdown();
});
