import assert from "node:assert/strict";
import { Dispatcher } from "../queue/dispatcher.ts";
import type { Store } from "../queue/store.ts";
import { createMemoryStore } from "../queue/stores/memory.ts";
import { FakeRunners } from "./fake_runners.ts";
import { pause, until } from "./service.ts";

function scene(most?: number, wrap = (store: Store) => store, lease = 30_000) {
  let time = 1_000_000;
  const store = wrap(createMemoryStore({
    maxTasks: 1_000,
    maxBytes: 1e9,
    retentionSucceeded: 1e6,
    retentionFailed: 1e6,
    retentionBytes: 1e9,
    now: () => time,
  }));
  const runners = new FakeRunners(most);
  const logged: string[] = [];
  const dispatcher = new Dispatcher({
    store,
    runners,
    retry: { base: 1_000, max: 60_000 },
    lease,
    now: () => time,
    random: () => 0.5,
    log: (level, message) => logged.push(`${level} ${message}`),
  });
  const add = (...ids: string[]) =>
    store.enqueue(ids.map((id) => ({
      id,
      type: "t",
      owner: "",
      input: "1",
      priority: 0,
      maxAttempts: 3,
      timeout: 1_000,
    })));
  const get = async (id: string) => (await store.get("", id))!;
  const status = (id: string, wanted: string) =>
    until(`${wanted} of ${id}`, async () => (await get(id)).status === wanted || undefined);
  return {
    store,
    runners,
    dispatcher,
    logged,
    add,
    get,
    status,
    pass: (ms: number) => time += ms,
    end: () => dispatcher.stop(0, 0),
  };
}

Deno.test("claim, run, settle", async () => {
  const { dispatcher, runners, add, get, status, end } = scene();
  await add("a", "b");
  assert.equal(await dispatcher.tick(), 2);
  assert.equal(dispatcher.running, 2);
  runners.succeed("a", '{"x":1}');
  runners.fail("b", { retryable: false });
  await status("b", "failed");
  assert.deepEqual([(await get("a")).status, (await get("a")).result], ["succeeded", '{"x":1}']);
  assert.deepEqual([dispatcher.running, dispatcher.finished], [0, 2]);
  await end();
});

Deno.test("no more are claimed than there is room for, also by many ticks at once", async () => {
  const { dispatcher, runners, add, end } = scene(3, (store) => {
    const { claim } = store;
    store.claim = async (...given) => {
      await pause(5);
      return await claim.apply(store, given);
    };
    return store;
  });
  await add(..."abcdefgh");
  await Promise.all([1, 2, 3, 4, 5].map(() => dispatcher.tick()));
  assert.equal(runners.claims.length, 3);
  await end();
});

Deno.test("those that run alone go first, and take from the same room", async () => {
  const { dispatcher, runners, add, get, status, end } = scene(2);
  await add(..."abc");
  await dispatcher.tick();
  const { token } = runners.claim("a");
  runners.tell({ token, as: "released", alone: true });
  await status("a", "running");
  assert.deepEqual(runners.claims.map(({ task }) => task.id), ["b", "a"]);
  assert.deepEqual([(await get("a")).attempt, (await get("a")).alone, (await get("c")).status], [
    1,
    true,
    "queued",
  ]);
  await end();
});

Deno.test("a failure waits for its time, and is tried again", async () => {
  const { dispatcher, runners, add, get, status, pass, end } = scene();
  await add("a");
  await dispatcher.tick();
  runners.fail("a");
  await status("a", "scheduled");
  assert.equal((await get("a")).runAt, 1_000_500);
  assert.equal(await dispatcher.tick(), 0);
  pass(500);
  assert.equal(await dispatcher.tick(), 1);
  assert.equal((await get("a")).attempt, 2);
  await end();
});

Deno.test("a late, foreign or second outcome changes nothing", async () => {
  const { dispatcher, runners, add, get, status, end } = scene();
  await add("a");
  await dispatcher.tick();
  const token = runners.succeed("a");
  runners.tell({ token, as: "succeeded", result: "2" }, { token: "forged", as: "succeeded", result: "3" });
  await status("a", "succeeded");
  runners.tell({ token, as: "failed", failure: { code: "late", message: "", retryable: true } });
  await pause(5);
  assert.deepEqual([(await get("a")).status, (await get("a")).result], ["succeeded", "1"]);
  await end();
});

Deno.test("cancel of a running task reaches its runner; what then fails is cancelled", async () => {
  const { dispatcher, runners, store, add, status, end } = scene();
  await add("a", "b");
  await dispatcher.tick();
  await store.cancel("", "a");
  await until("the stop", () => runners.stopped.length > 0);
  assert.deepEqual(runners.stopped, ["a cancelled"]);
  runners.fail("a", { code: "cancelled", retryable: false });
  await status("a", "cancelled");
  await store.cancel("", "b");
  runners.fail("b");
  await status("b", "cancelled");
  await end();
});

Deno.test("a cancel that comes while the claim is on its way is not lost", async () => {
  let store!: Store;
  const { dispatcher, runners, add, end } = scene(10, (inner) => {
    const { claim } = store = inner;
    inner.claim = async (...given) => {
      const claims = await claim.apply(inner, given);
      if (claims.length > 0) await inner.cancel("", "a");
      await pause(5);
      return claims;
    };
    return inner;
  });
  await add("a");
  await dispatcher.tick();
  assert.deepEqual(runners.stopped, ["a cancelled"]);
  assert.equal((await store.get("", "a"))!.status, "running");
  await end();
});

Deno.test("a result that the store does not take is kept and offered again, never lost", async () => {
  let broken = 2;
  const { dispatcher, runners, add, get, status, logged, end } = scene(10, (store) => {
    const { settle } = store;
    store.settle = (...given) =>
      broken-- > 0 ? Promise.reject(new Error("disk full")) : settle.apply(store, given);
    return store;
  });
  await add("a", "b");
  await dispatcher.tick();
  runners.succeed("a");
  await pause(20);
  assert.equal((await get("a")).status, "running");
  assert.equal(dispatcher.finished, 0);
  // Another comes while the first waits.
  runners.succeed("b");
  await status("a", "succeeded");
  await status("b", "succeeded");
  assert.equal(logged.filter((line) => line.startsWith("error The store failed")).length, 2);
  await end();
});

Deno.test("a claim that was lost is abandoned, and its outcome dropped", async () => {
  const { dispatcher, runners, add, get, logged, end } = scene(10, (store) => {
    store.renew = (tokens) => Promise.resolve([...tokens]);
    store.settle = () => new Promise(() => {});
    return store;
  }, 30);
  await add("a", "b");
  await dispatcher.tick();
  const tokens = runners.claims.map(({ token }) => token);
  // While one is being settled for ever, both claims are lost.
  runners.succeed("a");
  runners.fail("b");
  dispatcher.start();
  await until("the renewal", () => runners.abandoned.length === 2);
  assert.deepEqual(runners.abandoned, tokens);
  assert.equal(dispatcher.running, 0);
  assert.equal((await get("a")).status, "running");
  assert.deepEqual(logged, []);
  await end();
});

Deno.test("drain: what runs may finish, nothing begins", async () => {
  const { dispatcher, runners, add, get, end } = scene();
  await add("a");
  await dispatcher.tick();
  await add("b");
  let drained = false;
  const draining = dispatcher.drain(60_000).then(() => drained = true);
  assert.equal(await dispatcher.tick(), 0);
  assert.equal(drained, false);
  runners.succeed("a");
  await draining;
  assert.deepEqual([(await get("a")).status, (await get("b")).status], ["succeeded", "queued"]);
  await end();
});

Deno.test("stop: what outlasts the drain is asked, then given back without paying", async () => {
  const { dispatcher, runners, add, get } = scene();
  await add("a", "b");
  await dispatcher.tick();
  const stopping = dispatcher.stop(10, 50);
  await until("the request", () => runners.stopped.length === 2);
  assert.deepEqual(runners.stopped, ["a shutdown_aborted", "b shutdown_aborted"]);
  runners.fail("a", { code: "shutdown_aborted" });
  await stopping;
  assert.ok(runners.closed);
  for (const id of ["a", "b"]) {
    const { status, attempt, error } = await get(id);
    assert.deepEqual([status, attempt, error], ["queued", 0, undefined]);
  }
});

Deno.test("started, it works on its own: new tasks, room, and due times", async () => {
  const { dispatcher, runners, store, add, status, end, pass } = scene(1);
  dispatcher.start();
  await add("a", "b");
  await status("a", "running");
  runners.succeed("a");
  await status("b", "running");
  runners.fail("b");
  await status("b", "scheduled");
  pass(500);
  await until("its second attempt", () => runners.claims.some(({ task }) => task.attempt === 2) || undefined);
  assert.equal((await store.get("", "b"))!.status, "running");
  await end();
});
