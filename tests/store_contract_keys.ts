/** The part of the store's contract that is about idempotency keys and unique keys. */
import { deepEqual, equal, notEqual, rejects } from "node:assert/strict";
import { IdempotencyGone, IdempotencyReused, QueueFull, UniqueConflict } from "../queue/errors.ts";
import type { Store, StoreOptions, Together } from "../queue/store.ts";
import type { NewTask, UniqueKey } from "../queue/task.ts";
import { type Clock, draft, failure, finished, put, take, takeOne } from "./store_fixtures.ts";

type Body = (store: Store, clock: Clock) => Promise<void>;
type Test = (sentence: string, body: Body, options?: Partial<StoreOptions>) => void;

const KEPT = 10_000;

function idempotency(clock: Clock, key = "k", fingerprint = "f"): NonNullable<Together["idempotency"]> {
  return { key, fingerprint, until: clock.time + KEPT };
}

function unique(onConflict: UniqueKey["onConflict"], change: Partial<UniqueKey> = {}): Partial<NewTask> {
  return { extras: { uniqueKey: { key: "u", onConflict, ...change } } };
}

/** Ids of those that are cancelled, and of those that are asked to be. */
async function cancelledOf(store: Store): Promise<string[]> {
  const { tasks } = await store.list("ann", { limit: 100 });
  return tasks.filter((task) => task.cancelRequestedAt !== undefined).map((task) => task.id).sort();
}

export function keysContract(test: Test): void {
  test("enqueue() with a known idempotency key answers what it made, as replays", async (store, clock) => {
    const first = [draft(), draft()];
    const given = { idempotency: idempotency(clock) };
    deepEqual((await store.enqueue(first, given)).map(({ replayed }) => replayed), [false, false]);
    await store.cancel("ann", first[0]!.id);
    const again = await store.enqueue([draft(), draft(), draft()], given);
    deepEqual(again.map(({ task, replayed }) => [task.id, task.status, replayed]), [
      [first[0]!.id, "cancelled", true],
      [first[1]!.id, "queued", true],
    ]);
    deepEqual(await store.replay("ann", given.idempotency), again);
    equal((await store.list("ann", { limit: 10 })).tasks.length, 2);
  });

  test(
    "an idempotency key is its owner's, and replay() knows none that was not used",
    async (store, clock) => {
      const given = { idempotency: idempotency(clock) };
      equal(await store.replay("ann", given.idempotency), undefined);
      await store.enqueue([draft()], given);
      equal(await store.replay("bob", given.idempotency), undefined);
      equal(await store.replay("ann", idempotency(clock, "other")), undefined);
      equal((await store.enqueue([draft({ owner: "bob" })], given))[0]?.replayed, false);
    },
  );

  test("an idempotency key is remembered however many others use", async (store, clock) => {
    const given = { idempotency: idempotency(clock) };
    await store.enqueue([draft()], given);
    for (let i = 0; i < 11; i++) {
      const drafts = Array.from({ length: 10_000 }, () => draft({ owner: "bob" }));
      await store.enqueue(drafts, { idempotency: idempotency(clock, `k${i}`) });
    }
    notEqual(await store.replay("ann", given.idempotency), undefined);
    equal(await store.replay("bob", idempotency(clock, "k0")), undefined);
    notEqual(await store.replay("bob", idempotency(clock, "k10")), undefined);
  }, { maxTasks: 200_000, maxBytes: 1e9 });

  test("an idempotency key with another fingerprint is refused", async (store, clock) => {
    await store.enqueue([draft()], { idempotency: idempotency(clock) });
    const other = idempotency(clock, "k", "g");
    const next = draft();
    await rejects(store.enqueue([next], { idempotency: other }), IdempotencyReused);
    await rejects(store.replay("ann", other), IdempotencyReused);
    equal(await store.get("ann", next.id), undefined);
  });

  test("an idempotency key is new again when its time has passed", async (store, clock) => {
    await store.enqueue([draft()], { idempotency: idempotency(clock) });
    clock.time += KEPT - 1;
    notEqual(await store.replay("ann", idempotency(clock)), undefined);
    clock.time += 1;
    const again = idempotency(clock, "k", "g");
    equal(await store.replay("ann", again), undefined);
    const [answer] = await store.enqueue([draft()], { idempotency: again });
    equal(answer?.replayed, false);
    equal((await store.replay("ann", again))?.[0]?.task.id, answer?.task.id);
  });

  test(
    "an idempotency key makes nothing twice: where its tasks are gone it says so",
    async (store, clock) => {
      const given = { idempotency: idempotency(clock) };
      const tasks = [draft({ priority: 9 }), draft()];
      await store.enqueue(tasks, given);
      const { token } = await takeOne(store, clock);
      await store.settle([{ token, to: "succeeded", result: undefined }]);
      await store.remove("ann", tasks[0]!.id);
      await rejects(store.replay("ann", given.idempotency), IdempotencyGone);
      await rejects(store.enqueue([draft()], given), IdempotencyGone);
      await store.cancel("ann", tasks[1]!.id);
      await store.remove("ann", tasks[1]!.id);
      await rejects(store.enqueue([draft()], given), IdempotencyGone);
      deepEqual((await store.list("ann", { limit: 10 })).tasks, []);
    },
  );

  test("an idempotency key of a call that was refused is not used up", async (store, clock) => {
    const given = { idempotency: idempotency(clock) };
    await rejects(store.enqueue([draft(), draft()], given), QueueFull);
    equal(await store.replay("ann", given.idempotency), undefined);
    equal((await store.enqueue([draft()], given))[0]?.replayed, false);
    await store.enqueue([draft()], given);
  }, { maxTasks: 1 });

  test(
    "an idempotency key answers replays and holders of unique keys as it did at first",
    async (store, clock) => {
      const known = draft();
      await store.enqueue([known]);
      const holder = await put(store, unique("return"));
      const given = { idempotency: idempotency(clock) };
      const answers = await store.enqueue([known, draft(unique("return")), draft()], given);
      const again = await store.replay("ann", given.idempotency);
      deepEqual(again, answers.map((answer) => ({ ...answer, replayed: true })));
      deepEqual([again?.[0]?.task.id, again?.[1]?.task.id, again?.[1]?.existing], [known.id, holder, true]);
    },
  );

  test("equal calls at once make their tasks once", async (store, clock) => {
    const given = { idempotency: idempotency(clock) };
    const answers = await Promise.all(Array.from({ length: 100 }, () => store.enqueue([draft()], given)));
    equal(new Set(answers.map(([answer]) => answer!.task.id)).size, 1);
    equal(answers.filter(([answer]) => !answer!.replayed).length, 1);
    equal((await store.list("ann", { limit: 10 })).tasks.length, 1);
  });

  test("a unique key in use returns the task that has it, and nothing changes", async (store) => {
    const id = await put(store, unique("reject"));
    const before = await store.get("ann", id);
    const [answer] = await store.enqueue([draft({ ...unique("return"), input: '"other"' })]);
    deepEqual(answer, { task: before, replayed: false, existing: true });
    equal((await store.list("ann", { limit: 10 })).tasks.length, 1);
    deepEqual(before?.extras?.uniqueKey, { key: "u", onConflict: "reject" });
  });

  test("a unique key in use rejects all of the call and names the task", async (store) => {
    const id = await put(store, unique("return"));
    const fresh = draft();
    await rejects(
      store.enqueue([fresh, draft(unique("reject"))]),
      (error) => error instanceof UniqueConflict && error.id === id && error.index === 1,
    );
    equal(await store.get("ann", fresh.id), undefined);
  });

  test("equal calls at once with one unique key make one task", async (store) => {
    const calls = Array.from({ length: 100 }, () => store.enqueue([draft(unique("return"))]));
    equal(new Set((await Promise.all(calls)).map(([answer]) => answer!.task.id)).size, 1);
  });

  test("a unique key is one owner's, of one type", async (store) => {
    const ids = [
      await put(store, unique("reject")),
      await put(store, { ...unique("reject"), owner: "bob" }),
      await put(store, { ...unique("reject"), type: "pdf" }),
      await put(store, unique("reject", { key: "v" })),
    ];
    equal(new Set(ids).size, 4);
  });

  test("a unique key replaces what waits at once, and asks what runs to stop", async (store, clock) => {
    const queued = await put(store, unique("replace"));
    const scheduled = await put(store, { ...unique("replace"), runAt: clock.time + 5 });
    deepEqual(await cancelledOf(store), [queued]);
    const running = await put(store, unique("replace"));
    deepEqual(await cancelledOf(store), [queued, scheduled].sort());
    const { token, task } = await takeOne(store, clock);
    equal(task.id, running);
    const last = await put(store, unique("replace"));
    const asked = await store.get("ann", running);
    deepEqual([asked?.status, asked?.cancelRequestedAt], ["running", clock.time]);
    // The newer one has the key, whatever becomes of the older.
    equal((await store.enqueue([draft(unique("return"))]))[0]?.task.id, last);
    await store.settle([{ token, to: "succeeded", result: undefined }]);
    equal((await store.enqueue([draft(unique("return"))]))[0]?.task.id, last);
    equal((await store.get("ann", running))?.status, "succeeded");
  });

  test("a unique key replaces without taking more room, or nothing changes", async (store, clock) => {
    const first = await put(store, unique("replace"));
    const second = await put(store, unique("replace"));
    deepEqual(await cancelledOf(store), [first]);
    await rejects(store.enqueue([draft(unique("replace")), draft()]), QueueFull);
    deepEqual(await cancelledOf(store), [first]);
    equal((await store.enqueue([draft(unique("return"))]))[0]?.task.id, second);
    await takeOne(store, clock);
    // It runs, and so takes its room until it has stopped.
    await rejects(store.enqueue([draft(unique("replace"))]), QueueFull);
    equal((await store.get("ann", second))?.cancelRequestedAt, undefined);
  }, { maxTasks: 1 });

  test("a unique key is taken within the call in order", async (store) => {
    const first = draft(unique("return"));
    const answers = await store.enqueue([first, draft(unique("return"))]);
    deepEqual(answers.map(({ task, existing }) => [task.id, existing]), [
      [first.id, undefined],
      [first.id, true],
    ]);
    const [second, third] = [draft(unique("replace")), draft(unique("replace"))];
    const ids = (await store.enqueue([second, third, draft(unique("return"))])).map(({ task }) => task.id);
    deepEqual(ids, [second.id, third.id, third.id]);
    deepEqual(await cancelledOf(store), [first.id, second.id].sort());
    await rejects(
      store.enqueue([draft(unique("replace")), draft(unique("reject"))]),
      (error) => error instanceof UniqueConflict && error.index === 1,
    );
    deepEqual(await cancelledOf(store), [first.id, second.id].sort());
    equal((await store.enqueue([draft(unique("return"))]))[0]?.task.id, third.id);
  });

  for (const to of ["succeeded", "failed"] as const) {
    test(`a unique key is free when its task has ${to}`, async (store, clock) => {
      await finished(store, clock, to, unique("reject"));
      const next = await put(store, unique("reject"));
      await store.cancel("ann", next);
      await put(store, unique("reject"));
    });
  }

  test("a unique key for a time is kept beyond success, and not beyond failure", async (store, clock) => {
    const keep = 1_000;
    await finished(store, clock, "failed", unique("reject", { keep }));
    const cancelled = await put(store, unique("reject", { keep }));
    await store.cancel("ann", cancelled);
    const done = await finished(store, clock, "succeeded", unique("reject", { keep }));
    clock.time += keep - 1;
    equal((await store.enqueue([draft(unique("return"))]))[0]?.task.id, done);
    // There is nothing to cancel.
    clock.time += 1;
    const slow = await put(store, unique("reject", { keep }));
    clock.time += keep;
    // It has not finished.
    equal((await store.enqueue([draft(unique("return"))]))[0]?.task.id, slow);
  });

  test("a unique key that a finished task keeps can be replaced", async (store, clock) => {
    const done = await finished(store, clock, "succeeded", unique("reject", { keep: 1_000 }));
    const next = await put(store, unique("replace"));
    notEqual(next, done);
    equal((await store.get("ann", done))?.status, "succeeded");
    equal((await store.enqueue([draft(unique("return"))]))[0]?.task.id, next);
  });

  test("a unique key is free when its task is forgotten", async (store, clock) => {
    const done = await finished(store, clock, "succeeded", unique("reject", { keep: 1_000 }));
    await store.remove("ann", done);
    equal((await store.enqueue([draft(unique("reject"))]))[0]?.existing, undefined);
  });

  test("retry() takes its unique key again, unless another task has it", async (store, clock) => {
    const old = await finished(store, clock, "failed", unique("return"));
    const next = await put(store, unique("return"));
    await rejects(
      store.retry("ann", old),
      (error) => error instanceof UniqueConflict && error.id === next,
    );
    equal((await store.get("ann", old))?.status, "failed");
    await store.cancel("ann", next);
    equal((await store.retry("ann", old))?.status, "queued");
    equal((await store.enqueue([draft(unique("return"))]))[0]?.task.id, old);
    // The latest that took it has it.
    await rejects(store.retry("ann", next), UniqueConflict);
    const [claim] = await take(store, clock);
    const error = failure(clock.time);
    await store.settle([{ token: claim!.token, to: "failed", error, crashes: 0 }]);
    equal((await store.retry("ann", next))?.status, "queued");
  });

  test("a task's own id comes before its unique key", async (store) => {
    const same = draft(unique("reject"));
    await store.enqueue([same]);
    deepEqual((await store.enqueue([same]))[0]?.replayed, true);
  });
}
