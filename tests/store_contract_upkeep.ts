/** The part of the contract about reading, changing by hand, and forgetting. */
import { deepEqual, equal, notEqual, ok, rejects } from "node:assert/strict";
import { QueueFull, WrongStatus } from "../queue/errors.ts";
import type { ListQuery, Store, StoreOptions } from "../queue/store.ts";
import { type Clock, draft, finished, put, ROOMY, take, takeOne } from "./store_fixtures.ts";

type Body = (store: Store, clock: Clock) => Promise<void>;
type Test = (sentence: string, body: Body, options?: Partial<StoreOptions>) => void;

/** Ids of all pages, with what `between` does after each. */
async function pages(
  store: Store,
  query: ListQuery,
  between: () => Promise<unknown> = () => Promise.resolve(),
): Promise<string[][]> {
  const found: string[][] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = await store.list("ann", { ...query, cursor });
    found.push(page.tasks.map(({ id }) => id));
    cursor = page.cursor;
    await between();
  }
  return found;
}

const wrong = (finished: boolean) => (error: unknown) =>
  error instanceof WrongStatus && error.finished === finished;

export function upkeepContract(test: Test): void {
  test("every read and change by hand is the owner's alone", async (store, clock) => {
    const id = await finished(store, clock, "failed");
    for (const owner of ["bob", ""]) {
      equal(await store.get(owner, id), undefined);
      equal(await store.logs(owner, id), undefined);
      equal(await store.cancel(owner, id), undefined);
      equal(await store.retry(owner, id), undefined);
      equal(await store.remove(owner, id), false);
      deepEqual(await store.list(owner, { limit: 10 }), { tasks: [] });
      deepEqual(await store.counts(owner), {});
    }
    equal((await store.get("ann", id))?.status, "failed");
  });

  test("list() answers the newest first, in pages unmoved by tasks created since", async (store) => {
    const ids: string[] = [];
    for (let n = 0; n < 7; n++) ids.unshift(await put(store));
    const found = await pages(store, { limit: 3 }, () => put(store));
    deepEqual(found, [ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
  });

  test("list() has a cursor only where more follow", async (store) => {
    const ids = [await put(store), await put(store)].reverse();
    deepEqual(await pages(store, { limit: 2 }), [ids]);
    deepEqual(await pages(store, { limit: 1 }), [[ids[0]], [ids[1]]]);
    await put(store, { type: "pdf" });
    deepEqual(await pages(store, { limit: 2, types: ["mail"] }), [ids]);
  });

  test("list() filters by status and type", async (store, clock) => {
    const done = await finished(store, clock, "succeeded");
    const mail = await put(store);
    const pdf = await put(store, { type: "pdf" });
    const later = await put(store, { type: "pdf", runAt: clock.time + 1 });
    const of = async (query: Partial<ListQuery>) => (await pages(store, { limit: 10, ...query })).flat();
    deepEqual(await of({}), [later, pdf, mail, done]);
    deepEqual(await of({ statuses: ["queued"] }), [pdf, mail]);
    deepEqual(await of({ statuses: ["queued", "succeeded"], types: ["mail"] }), [mail, done]);
    deepEqual(await of({ types: ["pdf", "pdf", "none"] }), [later, pdf]);
    deepEqual(await of({ statuses: ["cancelled"] }), []);
  });

  test("list() filters by creation: after is inclusive, before is exclusive", async (store, clock) => {
    const ids: string[] = [];
    for (let n = 0; n < 4; n++, clock.time += 10) ids.push(await put(store));
    const at = (n: number) => clock.time - 40 + 10 * n;
    const query = { limit: 1, createdAfter: at(1), createdBefore: at(3) };
    deepEqual(await pages(store, query), [[ids[2]], [ids[1]]]);
  });

  test("list() starts anew for a cursor that is none", async (store) => {
    const id = await put(store);
    for (const cursor of ["nonsense", "", "-1", "%", "9".repeat(40)]) {
      deepEqual((await store.list("ann", { limit: 1, cursor })).tasks.map((task) => task.id), [id]);
    }
  });

  test("report() keeps the last progress and the log's last lines", async (store, clock) => {
    const id = await put(store);
    deepEqual((await store.logs("ann", id))?.lines, []);
    const { token } = await takeOne(store, clock);
    const line = (n: number) => ({ at: clock.time + n, level: "info" as const, message: `line ${n}` });
    const lines = Array.from({ length: 1_500 }, (_, n) => line(n));
    await store.report([
      { token, progress: { current: 1 }, log: lines.slice(0, 700) },
      { token: "unknown", progress: { current: 9 }, log: [line(9_999)] },
      { token, progress: { current: 2, total: 3, message: "two" }, log: lines.slice(700) },
    ]);
    deepEqual((await store.get("ann", id))?.progress, { current: 2, total: 3, message: "two" });
    const kept = (await store.logs("ann", id))!.lines;
    ok(kept.length > 100 && kept.length <= 1_000, `${kept.length} lines`);
    deepEqual(kept, lines.slice(-kept.length));
    equal((await store.get("ann", id))?.lines, 1_500);
    await store.settle([{ token, to: "succeeded", result: undefined }]);
    const task = await store.get("ann", id);
    await store.report([{ token, progress: { current: 3 }, log: [line(8_888)] }]);
    deepEqual(await store.get("ann", id), task);
    deepEqual(await store.logs("ann", id), { task, lines: kept });
  });

  test("cancel() ends a scheduled or queued task", async (store, clock) => {
    const ids = [await put(store), await put(store, { runAt: clock.time + 5 })];
    for (const id of ids) {
      const task = await store.cancel("ann", id);
      deepEqual([task?.status, task?.cancelRequestedAt, task?.finishedAt], [
        "cancelled",
        clock.time,
        clock.time,
      ]);
      deepEqual(await store.cancel("ann", id), task);
    }
    clock.time += 10;
    deepEqual(await take(store, clock), []);
  });

  test("cancel() asks a running task once and lets it go on", async (store, clock) => {
    const id = await put(store);
    const { token } = await takeOne(store, clock);
    const asked = await store.cancel("ann", id);
    deepEqual([asked?.status, asked?.cancelRequestedAt, asked?.version], ["running", clock.time, 3]);
    clock.time += 5;
    deepEqual(await store.cancel("ann", id), asked);
    const [task] = await store.settle([{ token, to: "cancelled" }]);
    deepEqual([task?.status, task?.cancelRequestedAt, task?.finishedAt], [
      "cancelled",
      clock.time - 5,
      clock.time,
    ]);
  });

  test("cancel() refuses what has succeeded or failed", async (store, clock) => {
    for (const to of ["succeeded", "failed"] as const) {
      await rejects(store.cancel("ann", await finished(store, clock, to)), wrong(true));
    }
    equal(await store.cancel("ann", "unknown"), undefined);
  });

  test("retry() queues a failed or cancelled task with attempts anew", async (store, clock) => {
    const failed = await finished(store, clock, "failed");
    const cancelled = await put(store);
    await store.cancel("ann", cancelled);
    for (const id of [failed, cancelled]) {
      const task = await store.retry("ann", id);
      deepEqual([task?.status, task?.attempt, task?.error, task?.expiresAt], [
        "queued",
        0,
        undefined,
        undefined,
      ]);
      deepEqual([task?.cancelRequestedAt, task?.finishedAt], [undefined, undefined]);
      const claim = await takeOne(store, clock);
      deepEqual([claim.task.id, claim.task.attempt], [id, 1]);
    }
    clock.time += 2 * ROOMY.retentionFailed;
    equal(await store.sweep(10), 0);
  });

  test("retry() refuses what has succeeded or not finished", async (store, clock) => {
    await rejects(store.retry("ann", await finished(store, clock, "succeeded")), wrong(true));
    const id = await put(store);
    await rejects(store.retry("ann", id), wrong(false));
    await takeOne(store, clock);
    await rejects(store.retry("ann", id), wrong(false));
    equal(await store.retry("ann", "unknown"), undefined);
  });

  test("retry() keeps to the bound", async (store, clock) => {
    const id = await finished(store, clock, "failed");
    await put(store);
    await rejects(store.retry("ann", id), QueueFull);
    equal((await store.get("ann", id))?.status, "failed");
  }, { maxTasks: 1 });

  test("remove() forgets a finished task and all that belongs to it", async (store, clock) => {
    const again = draft();
    await store.enqueue([again]);
    await rejects(store.remove("ann", again.id), wrong(false));
    const { token } = await takeOne(store, clock);
    await rejects(store.remove("ann", again.id), wrong(false));
    await store.report([{ token, log: [{ at: clock.time, level: "warn", message: "hm" }] }]);
    await store.settle([{ token, to: "succeeded", result: undefined }]);
    equal(await store.remove("ann", again.id), true);
    equal(await store.remove("ann", again.id), false);
    equal(await store.get("ann", again.id), undefined);
    equal(await store.logs("ann", again.id), undefined);
    equal(await store.hasExpired("ann", again.id), false);
    deepEqual(await store.counts(), {});
    equal((await store.enqueue([again]))[0]?.replayed, false);
    deepEqual((await store.logs("ann", again.id))?.lines, []);
  });

  test("counts() tells how many there are, for one owner or all", async (store, clock) => {
    await finished(store, clock, "succeeded");
    await put(store);
    await put(store, { type: "pdf", runAt: clock.time + 1 });
    await put(store, { owner: "bob" });
    await takeOne(store, clock);
    const none = { scheduled: 0, queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
    const pdf = { ...none, scheduled: 1 };
    deepEqual(await store.counts("ann"), { mail: { ...none, running: 1, succeeded: 1 }, pdf });
    deepEqual(await store.counts("bob"), { mail: { ...none, queued: 1 } });
    deepEqual(await store.counts(), { mail: { ...none, queued: 1, running: 1, succeeded: 1 }, pdf });
    deepEqual(await store.counts("eve"), {});
  });

  test("sweep() forgets what has expired and remembers that it was there", async (store, clock) => {
    const done = await finished(store, clock, "succeeded");
    const failed = await finished(store, clock, "failed");
    const stopped = await put(store);
    await store.cancel("ann", stopped);
    const waiting = await put(store);
    equal((await store.get("ann", done))?.expiresAt, clock.time + ROOMY.retentionSucceeded);
    equal((await store.get("ann", failed))?.expiresAt, clock.time + ROOMY.retentionFailed);
    equal((await store.get("ann", stopped))?.expiresAt, clock.time + ROOMY.retentionSucceeded);
    equal(await store.sweep(10), 0);
    clock.time += ROOMY.retentionSucceeded + 1;
    equal(await store.sweep(10), 2);
    for (const id of [done, stopped]) {
      equal(await store.get("ann", id), undefined);
      equal(await store.hasExpired("ann", id), true);
      equal(await store.hasExpired("bob", id), false);
    }
    equal(await store.hasExpired("ann", failed), false);
    equal(await store.hasExpired("ann", "unknown"), false);
    clock.time += ROOMY.retentionFailed;
    equal(await store.sweep(10), 1);
    notEqual(await store.get("ann", waiting), undefined);
    await finished(store, clock, "succeeded", { id: done });
    equal(await store.hasExpired("ann", done), false);
    await store.remove("ann", done);
    equal(await store.hasExpired("ann", done), false);
  });

  test("sweep() takes at most its limit, those that expired first", async (store, clock) => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++, clock.time++) ids.push(await finished(store, clock, "succeeded"));
    clock.time += ROOMY.retentionSucceeded;
    equal(await store.sweep(2), 2);
    deepEqual((await pages(store, { limit: 10 })).flat(), ids.slice(2).reverse());
    equal(await store.sweep(2), 2);
    equal(await store.sweep(2), 1);
  });

  test("sweep() beyond the bound by bytes forgets those that would expire first", async (store, clock) => {
    const failed = await finished(store, clock, "failed");
    const old = await finished(store, clock, "succeeded");
    clock.time++;
    const young = await finished(store, clock, "succeeded");
    equal(await store.sweep(10), 1);
    deepEqual((await pages(store, { limit: 10 })).flat(), [young, failed]);
    equal(await store.hasExpired("ann", old), true);
  }, { retentionBytes: 1_400 });

  test("subscribe() tells of every change, in order and after the verb", async (store, clock) => {
    const heard: string[] = [];
    const end = store.subscribe((changes) =>
      heard.push(
        ...changes.map(({ task, kind, lines }) =>
          kind === "log"
            ? `${lines.map(({ message }) => message)} ${task.version}.${task.lines}`
            : `${kind === "progress" ? kind : task.status} ${task.version}`
        ),
      )
    );
    const id = await put(store, { runAt: clock.time + 1 });
    clock.time += 1;
    const { token } = await takeOne(store, clock);
    const log = ["a", "b"].map((message) => ({ at: clock.time, level: "info" as const, message }));
    await store.report([{ token, progress: { current: 1 } }, { token, log }, {
      token,
      log: log.slice(1),
      progress: { current: 2 },
    }]);
    await store.cancel("ann", id);
    await store.settle([{ token, to: "cancelled" }]);
    await store.retry("ann", id);
    await new Promise((resolve) => setTimeout(resolve, 0));
    deepEqual(heard, [
      "scheduled 1",
      "queued 2",
      "running 3",
      "progress 4",
      "a,b 4.2",
      "b 4.3",
      "progress 5",
      "running 6",
      "cancelled 7",
      "queued 8",
    ]);
    end();
    await put(store);
    await new Promise((resolve) => setTimeout(resolve, 0));
    equal(heard.length, 10);
  });
}
