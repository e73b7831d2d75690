/** The part of the contract about what attempts leave to those after them. */
import { deepEqual, equal, rejects } from "node:assert/strict";
import { QueueFull } from "../queue/errors.ts";
import type { Store, StoreOptions } from "../queue/store.ts";
import { sizeOf } from "../queue/task.ts";
import { type Clock, draft, failure, LEASE, put, take, takeOne } from "./store_fixtures.ts";

type Body = (store: Store, clock: Clock) => Promise<void>;
type Test = (sentence: string, body: Body, options?: Partial<StoreOptions>) => void;

export function checkpointContract(test: Test): void {
  test("checkpoint() is for the next attempts, and the last one wins", async (store, clock) => {
    const id = await put(store);
    const first = await takeOne(store, clock);
    equal(first.task.checkpoint, undefined);
    deepEqual(await store.checkpoint([{ token: first.token, checkpoint: "1" }]), [true]);
    deepEqual(
      await store.checkpoint([
        { token: first.token, checkpoint: "2" },
        { token: first.token, checkpoint: '{"sent":3}' },
      ]),
      [true, true],
    );
    const error = failure(clock.time);
    await store.settle([{
      token: first.token,
      to: "scheduled",
      error,
      crashes: 0,
      alone: false,
      runAt: clock.time,
    }]);
    const second = await takeOne(store, clock);
    deepEqual([second.task.id, second.task.checkpoint], [id, '{"sent":3}']);
    await store.settle([{ token: second.token, to: "queued", alone: false }]);
    equal(
      (await takeOne(store, clock)).task.checkpoint,
      '{"sent":3}',
      "an attempt without one changes nothing",
    );
  });

  test(
    "checkpoint() survives an attempt whose claim has lapsed, and is fenced as settle()",
    async (store, clock) => {
      await put(store);
      const lost = await takeOne(store, clock);
      await store.checkpoint([{ token: lost.token, checkpoint: '"kept"' }]);
      clock.time += LEASE + 1;
      await store.recover();
      deepEqual(await store.checkpoint([{ token: lost.token, checkpoint: '"late"' }]), [false]);
      const again = await takeOne(store, clock, true);
      equal(again.task.checkpoint, '"kept"');
      deepEqual(
        await store.checkpoint([
          { token: lost.token, checkpoint: '"late"' },
          { token: again.token, checkpoint: '"next"' },
        ]),
        [false, true],
      );
      await store.settle([{ token: again.token, to: "succeeded", result: undefined }]);
      deepEqual(await store.checkpoint([{ token: again.token, checkpoint: '"late"' }]), [false]);
    },
  );

  test(
    "checkpoint() goes with success, and stays with a failure for who retries it by hand",
    async (store, clock) => {
      const done = await put(store);
      const { token } = await takeOne(store, clock);
      await store.checkpoint([{ token, checkpoint: "1" }]);
      await store.settle([{ token, to: "succeeded", result: undefined }]);
      equal((await store.get("ann", done))?.checkpoint, undefined);
      for (const to of ["failed", "cancelled"] as const) {
        const id = await put(store);
        const { token } = await takeOne(store, clock);
        await store.checkpoint([{ token, checkpoint: "2" }]);
        await store.settle([
          to === "failed" ? { token, to, error: failure(clock.time), crashes: 0 } : { token, to },
        ]);
        await store.retry("ann", id);
        const again = await takeOne(store, clock);
        deepEqual([again.task.id, again.task.checkpoint], [id, "2"], to);
        await store.settle([{ token: again.token, to: "succeeded", result: undefined }]);
      }
    },
  );

  test("checkpoint() is no change that anyone is told of", async (store, clock) => {
    const id = await put(store);
    const { token, task } = await takeOne(store, clock);
    let changes = 0;
    const end = store.subscribe((list) => void (changes += list.length));
    await store.checkpoint([{ token, checkpoint: "1" }]);
    // What follows is told, and the checkpoint would have been told before it.
    await store.report([{ token, progress: { current: 1 } }]);
    await store.cancel("ann", id);
    end();
    equal(changes, 2);
    equal((await store.get("ann", id))?.version, task.version + 2);
  });

  const one = draft();
  const SMALL = 1_000;
  test("checkpoint() takes room like the rest of its task", async (store, clock) => {
    await store.enqueue([one]);
    const { token, task } = await takeOne(store, clock);
    await store.enqueue([draft()]);
    const long = JSON.stringify("x".repeat(SMALL));
    await store.checkpoint([{ token, checkpoint: long }]);
    await rejects(store.enqueue([draft()]), QueueFull);
    await store.checkpoint([{ token, checkpoint: "0" }]);
    await store.enqueue([draft()]);
    await store.checkpoint([{ token, checkpoint: long }]);
    await store.settle([{ token, to: "succeeded", result: undefined }]);
    await store.enqueue([draft()]);
    equal((await take(store, clock, { limit: 10 })).length, 3, `of ${sizeOf(task)} bytes each`);
  }, { maxBytes: 3 * 640 + SMALL });
}
