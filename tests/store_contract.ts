/**
 * The contract of `queue/store.ts`, sentence by sentence, for any store: how tasks get in and run here, whose turn it
 * is in `store_contract_fairness.ts`, how they are read and end in `store_contract_upkeep.ts`, and
 * what attempts leave to those after them in `store_contract_checkpoint.ts`.
 */
import { deepEqual, equal, notEqual, rejects } from "node:assert/strict";
import { IdConflict, QueueFull } from "../queue/errors.ts";
import type { Store, StoreOptions } from "../queue/store.ts";
import { sizeOf, type Task } from "../queue/task.ts";
import { batchesContract } from "./store_contract_batches.ts";
import { checkpointContract } from "./store_contract_checkpoint.ts";
import { fairnessContract } from "./store_contract_fairness.ts";
import { keysContract } from "./store_contract_keys.ts";
import { upkeepContract } from "./store_contract_upkeep.ts";
import { Clock, draft, failure, LEASE, type Open, put, take, takeOne } from "./store_fixtures.ts";

export function storeContract(name: string, open: Open): void {
  type Body = (store: Store, clock: Clock) => Promise<void>;

  function test(sentence: string, body: Body, options: Partial<StoreOptions> = {}): void {
    Deno.test(`${name}: ${sentence}`, async () => {
      const clock = new Clock();
      const store = await open({ now: clock.now, ...options });
      try {
        await body(store, clock);
      } finally {
        await store.close();
      }
    });
  }

  test("enqueue() answers the tasks in order, queued, as get() has them", async (store, clock) => {
    const drafts = [draft({ input: '{"a":1}', metadata: '{"b":2}', priority: 3 }), draft()];
    const answers = await store.enqueue(drafts);
    deepEqual(answers.map(({ task, replayed }) => [task.id, task.status, replayed]), [
      [drafts[0]!.id, "queued", false],
      [drafts[1]!.id, "queued", false],
    ]);
    const task = await store.get("ann", drafts[0]!.id);
    deepEqual(task, answers[0]!.task);
    deepEqual([task?.input, task?.metadata, task?.priority, task?.version], ['{"a":1}', '{"b":2}', 3, 1]);
    deepEqual([task?.createdAt, task?.attempt, task?.runAt], [clock.time, 0, undefined]);
    equal((await store.get("ann", drafts[1]!.id))?.metadata, undefined);
  });

  test("enqueue() of a runAt in the future schedules, of one in the past queues", async (store, clock) => {
    const later = await put(store, { runAt: clock.time + 1 });
    const now = await put(store, { runAt: clock.time - 1 });
    equal((await store.get("ann", later))?.status, "scheduled");
    equal((await store.get("ann", now))?.status, "queued");
  });

  test("enqueue() of nothing does nothing", async (store) => {
    deepEqual(await store.enqueue([]), []);
    deepEqual(await store.counts(), {});
  });

  test(
    "enqueue() of the same again is a replay, also within the call and after the end",
    async (store, clock) => {
      const same = draft({ metadata: "{}" });
      const answers = await store.enqueue([same, same]);
      deepEqual(answers.map(({ replayed }) => replayed), [false, true]);
      const { token } = await takeOne(store, clock);
      await store.settle([{ token, to: "succeeded", result: "1" }]);
      const [again] = await store.enqueue([{ ...same, priority: 9, timeout: 1 }]);
      equal(again?.replayed, true);
      deepEqual(again?.task, await store.get("ann", same.id));
      deepEqual([again?.task.status, again?.task.priority], ["succeeded", 0]);
    },
  );

  test("enqueue() of a replay takes no room", async (store) => {
    const same = draft();
    await store.enqueue([same]);
    equal((await store.enqueue([same, same]))[1]?.replayed, true);
  }, { maxTasks: 1 });

  for (const [what, change] of Object.entries({ type: "other", input: "[]", metadata: "{}" })) {
    test(`enqueue() of a known id with another ${what} is a conflict and accepts nothing`, async (store) => {
      const first = draft();
      await store.enqueue([first]);
      const fresh = draft();
      await rejects(
        store.enqueue([fresh, { ...first, [what]: change }]),
        (error) => error instanceof IdConflict && error.id === first.id && error.index === 1,
      );
      equal(await store.get("ann", fresh.id), undefined);
      await rejects(store.enqueue([fresh, { ...fresh, [what]: change }]), IdConflict);
      equal(await store.get("ann", fresh.id), undefined);
      equal((await store.list("ann", { limit: 10 })).tasks.length, 1);
    });
  }

  test("enqueue() lets every owner use an id", async (store) => {
    const id = await put(store, { owner: "ann", input: "1" });
    await put(store, { owner: "bob", input: "2", id });
    await put(store, { owner: "", input: "3", id });
    deepEqual(
      await Promise.all(["ann", "bob", ""].map(async (owner) => (await store.get(owner, id))?.input)),
      ["1", "2", "3"],
    );
  });

  test("enqueue() past the bound by count accepts nothing", async (store, clock) => {
    await put(store);
    const isFull = (error: unknown) => error instanceof QueueFull && error.retryAfter >= 1;
    const drafts = [draft(), draft(), draft()];
    await rejects(store.enqueue(drafts), isFull);
    equal(await store.get("ann", drafts[0]!.id), undefined);
    await store.enqueue(drafts.slice(0, 2));
    await rejects(store.enqueue([draft()]), isFull);
    const { token } = await takeOne(store, clock);
    await rejects(store.enqueue([draft()]), isFull);
    await store.settle([{ token, to: "succeeded", result: undefined }]);
    await put(store);
  }, { maxTasks: 3 });

  const big = "x".repeat(1_000);
  test("enqueue() past the bound by bytes accepts nothing", async (store) => {
    const [first] = await store.enqueue([draft({ input: big })]);
    equal(sizeOf(first!.task), 1_640);
    const drafts = [draft(), draft({ input: big })];
    await rejects(store.enqueue(drafts), QueueFull);
    equal(await store.get("ann", drafts[0]!.id), undefined);
    await store.cancel("ann", first!.task.id);
    await store.enqueue(drafts);
  }, { maxBytes: 2_400 });

  test("claim() takes by priority, then in the order in which tasks were queued", async (store, clock) => {
    const ids: string[] = [];
    for (const priority of [0, 5, 0, 5, -1]) ids.push(await put(store, { priority }));
    const claims = await take(store, clock, { limit: 4 });
    deepEqual(claims.map(({ task }) => task.id), [1, 3, 0, 2].map((at) => ids[at]));
    await store.settle([{ token: claims[2]!.token, to: "queued", alone: false }]);
    await put(store);
    const rest = await take(store, clock, { limit: 9 });
    equal(rest[0]?.task.id, ids[0]);
    equal(rest.at(-1)?.task.id, ids[4]);
  });

  test("claim() begins an attempt", async (store, clock) => {
    const id = await put(store);
    clock.time += 5;
    const { task } = await takeOne(store, clock);
    deepEqual([task.id, task.status, task.attempt, task.startedAt, task.version], [
      id,
      "running",
      1,
      clock.time,
      2,
    ]);
    deepEqual(await store.get("ann", id), task);
  });

  test("claim() gives each task to one caller", async (store, clock) => {
    await store.enqueue(Array.from({ length: 20 }, () => draft()));
    const lists = await Promise.all(Array.from({ length: 5 }, () => take(store, clock, { limit: 7 })));
    const claims = lists.flat();
    equal(claims.length, 20);
    equal(new Set(claims.map(({ task }) => task.id)).size, 20);
    equal(new Set(claims.map(({ token }) => token)).size, 20);
    deepEqual(await take(store, clock), []);
  });

  test("claim() gives a new token with every attempt", async (store, clock) => {
    await put(store);
    const first = await takeOne(store, clock);
    await store.settle([{ token: first.token, to: "queued", alone: false }]);
    notEqual((await takeOne(store, clock)).token, first.token);
  });

  test("claim() serves each want by its type and limit", async (store, clock) => {
    for (const type of ["mail", "mail", "pdf", "other"]) await put(store, { type });
    const wants = [
      { type: "pdf", alone: false, limit: 5 },
      { type: "mail", alone: false, limit: 1 },
      { type: "nothing", alone: false, limit: 5 },
      { type: "other", alone: false, limit: 0 },
    ];
    const claims = await store.claim(wants, clock.time + LEASE);
    deepEqual(claims.map(({ task }) => task.type).sort(), ["mail", "pdf"]);
  });

  test("claim() with alone takes those that must run alone, and only those", async (store, clock) => {
    const [one, other] = [await put(store), await put(store)];
    const { token } = await takeOne(store, clock);
    await store.settle([{ token, to: "queued", alone: true }]);
    deepEqual((await take(store, clock, { limit: 9 })).map(({ task }) => task.id), [other]);
    const claim = await takeOne(store, clock, true);
    deepEqual([claim.task.id, claim.task.alone, claim.task.attempt], [one, true, 1]);
  });

  test("claim() first queues what is due, in the order of its time", async (store, clock) => {
    const late = await put(store, { runAt: clock.time + 200 });
    const early = await put(store, { runAt: clock.time + 100 });
    const never = await put(store, { runAt: clock.time + 300 });
    equal(await store.nextDue(), clock.time + 100);
    deepEqual(await take(store, clock, { limit: 9 }), []);
    clock.time += 200;
    const claims = await take(store, clock, { limit: 9 });
    deepEqual(claims.map(({ task }) => task.id), [early, late]);
    equal(claims[0]?.task.version, 3);
    equal(await store.nextDue(), clock.time + 100);
    await store.cancel("ann", never);
    equal(await store.nextDue(), undefined);
  });

  test("renew() prolongs claims and answers the tokens that are no longer ours", async (store, clock) => {
    await store.enqueue([draft(), draft()]);
    const [kept, left] = await take(store, clock, { limit: 2 });
    clock.time += LEASE - 1;
    deepEqual(await store.renew([kept!.token, "unknown"], clock.time + LEASE), ["unknown"]);
    clock.time += 2;
    equal(await store.recover(), 1);
    deepEqual(await store.renew([kept!.token, left!.token], clock.time + LEASE), [left!.token]);
    equal((await store.get("ann", kept!.task.id))?.status, "running");
  });

  test("recover() queues tasks whose claim lapsed, alone and without counting", async (store, clock) => {
    const id = await put(store);
    const { token } = await takeOne(store, clock);
    equal(await store.recover(), 0);
    clock.time += LEASE + 1;
    equal(await store.recover(), 1);
    equal(await store.recover(), 0);
    const task = await store.get("ann", id);
    deepEqual([task?.status, task?.attempt, task?.alone, task?.startedAt], ["queued", 0, true, undefined]);
    deepEqual(await store.settle([{ token, to: "succeeded", result: "1" }]), [undefined]);
    equal((await takeOne(store, clock, true)).task.attempt, 1);
  });

  test("recover() cancels what was asked to cancel", async (store, clock) => {
    const id = await put(store);
    await takeOne(store, clock);
    await store.cancel("ann", id);
    clock.time += LEASE + 1;
    equal(await store.recover(), 1);
    equal((await store.get("ann", id))?.status, "cancelled");
  });

  test("settle() ends attempts in every way", async (store, clock) => {
    await store.enqueue(Array.from({ length: 5 }, () => draft()));
    const tokens = (await take(store, clock, { limit: 5 })).map(({ token }) => token);
    clock.time += 10;
    const error = failure(clock.time);
    const runAt = clock.time + 1_000;
    const tasks = await store.settle([
      { token: tokens[0]!, to: "succeeded", result: '{"n":1}' },
      { token: tokens[1]!, to: "failed", error, crashes: 3 },
      { token: tokens[2]!, to: "scheduled", error, crashes: 1, alone: true, runAt },
      { token: tokens[3]!, to: "queued", alone: false },
      { token: tokens[4]!, to: "cancelled" },
    ]);
    for (const task of tasks) deepEqual(await store.get("ann", task!.id), task);
    const facts = (at: number, ...names: (keyof Task)[]) => names.map((key) => tasks[at]![key]);
    deepEqual(facts(0, "status", "result", "error", "finishedAt"), [
      "succeeded",
      '{"n":1}',
      undefined,
      clock.time,
    ]);
    deepEqual(facts(1, "status", "error", "crashes", "finishedAt"), ["failed", error, 3, clock.time]);
    deepEqual(facts(2, "status", "error", "crashes", "alone", "runAt"), ["scheduled", error, 1, true, runAt]);
    deepEqual(facts(3, "status", "attempt", "alone"), ["queued", 0, false]);
    deepEqual(facts(4, "status", "cancelRequestedAt"), ["cancelled", clock.time]);
    equal(await store.nextDue(), runAt);
  });

  test("settle() changes nothing where the claim is no longer ours", async (store, clock) => {
    const id = await put(store);
    const { token } = await takeOne(store, clock);
    const answers = await store.settle([
      { token: "unknown", to: "cancelled" },
      { token, to: "succeeded", result: undefined },
      { token, to: "failed", error: failure(clock.time), crashes: 0 },
    ]);
    deepEqual(answers.map((task) => task?.status), [undefined, "succeeded", undefined]);
    deepEqual(await store.settle([{ token, to: "queued", alone: false }]), [undefined]);
    const task = await store.get("ann", id);
    deepEqual([task?.status, task?.result, task?.version], ["succeeded", undefined, 3]);
  });

  test("settle() of what was asked to cancel never lets it run again", async (store, clock) => {
    await store.enqueue([draft(), draft(), draft()]);
    const claims = await take(store, clock, { limit: 3 });
    for (const { task } of claims) await store.cancel("ann", task.id);
    const [a, b, c] = claims.map(({ token }) => token);
    const error = failure(clock.time);
    const tasks = await store.settle([
      { token: a!, to: "queued", alone: false },
      { token: b!, to: "scheduled", error, crashes: 0, alone: false, runAt: clock.time + 1 },
      { token: c!, to: "succeeded", result: "1" },
    ]);
    deepEqual(tasks.map((task) => task?.status), ["cancelled", "cancelled", "succeeded"]);
  });

  keysContract(test);
  batchesContract(test);
  fairnessContract(test);
  checkpointContract(test);
  upkeepContract(test);
}
