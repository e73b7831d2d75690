import { deepEqual, equal } from "node:assert/strict";
import { createMemoryStore } from "../../queue/stores/memory.ts";
import { storeContract } from "../store_contract.ts";
import { Clock, finished, type Open, put, ROOMY, takeOne } from "../store_fixtures.ts";
import { storeModel } from "../store_model.ts";

const open: Open = (options) => Promise.resolve(createMemoryStore({ ...ROOMY, ...options }));

storeContract("memory", open);
storeModel("memory", open, 100);

Deno.test("memory: the ids of the last 10,000 expired tasks are remembered", async () => {
  const clock = new Clock();
  const store = await open({ now: clock.now, retentionSucceeded: 1 });
  const ids = [];
  for (let n = 0; n < 10_001; n++) {
    ids.push(await finished(store, clock, "succeeded"));
    clock.time += 1;
    await store.sweep(1);
  }
  equal(await store.hasExpired("ann", ids[0]!), false);
  equal(await store.hasExpired("ann", ids[1]!), true);
  equal(await store.hasExpired("ann", ids[10_000]!), true);
});

Deno.test("memory: a log keeps 64 KiB, and the start of a line that is longer", async () => {
  const clock = new Clock();
  const store = await open({ now: clock.now });
  const id = await put(store);
  const { token } = await takeOne(store, clock);
  const line = (message: string) => ({ at: clock.time, level: "info" as const, message });
  await store.report([{ token, log: [line("first"), line("x".repeat(100_000))] }]);
  const lengths = (await store.logs("ann", id))!.lines.map(({ message }) => message.length);
  deepEqual(lengths, [64 * 1024 - 64]);
});

Deno.test("memory: listings stay in order where the clock goes back", async () => {
  const clock = new Clock();
  const store = await open({ now: clock.now });
  const first = await put(store);
  clock.time -= 1_000;
  const second = await put(store);
  const { tasks } = await store.list("ann", { limit: 10, createdAfter: clock.time + 1_000 });
  deepEqual(tasks.map(({ id }) => id), [second, first]);
});
