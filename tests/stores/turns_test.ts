import { equal, ok } from "node:assert/strict";
import { createMemoryStore } from "../../queue/stores/memory.ts";
import { Clock, draft, put, ROOMY, take } from "../store_fixtures.ts";

Deno.test("memory: whoever may not run more is passed over at once, however much waits", async () => {
  const clock = new Clock();
  let asked = 0;
  const concurrencyOf = () => (asked++, 1);
  const store = createMemoryStore({ ...ROOMY, now: clock.now, concurrencyOf });
  const full = Array.from({ length: 100 }, (_, n) => `full-${n}`);
  for (const owner of full) {
    await store.enqueue(Array.from({ length: 500 }, () => draft({ owner })));
  }
  equal((await take(store, clock, { limit: 1_000 })).length, full.length);
  await take(store, clock);
  asked = 0;
  for (let n = 0; n < 1_000; n++) {
    await put(store, { owner: "bob" });
    const [claim] = await take(store, clock);
    equal(claim?.task.owner, "bob");
    await store.settle([{ token: claim!.token, to: "succeeded", result: undefined }]);
  }
  ok(asked <= 3_000, `looked ${asked} times for 1,000 tasks`);
});

Deno.test("memory: a larger concurrency holds from the next task that is queued or ends", async () => {
  const clock = new Clock();
  let most = 1;
  const store = createMemoryStore({ ...ROOMY, now: clock.now, concurrencyOf: () => most });
  await store.enqueue(Array.from({ length: 20 }, () => draft()));
  const claims = await take(store, clock, { limit: 9 });
  equal(claims.length, 1);
  most = 3;
  await put(store);
  equal((await take(store, clock, { limit: 9 })).length, 2);
  most = 2;
  await store.settle([{ token: claims[0]!.token, to: "succeeded", result: undefined }]);
  equal((await take(store, clock, { limit: 9 })).length, 0);
  most = 4;
  await put(store);
  equal((await take(store, clock, { limit: 9 })).length, 2);
});
