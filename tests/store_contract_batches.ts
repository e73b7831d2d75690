/** The part of the store's contract that is about tasks that belong together, and what follows their end. */
import { deepEqual, equal, rejects } from "node:assert/strict";
import { QueueFull } from "../queue/errors.ts";
import type { Store, StoreOptions } from "../queue/store.ts";
import type { NewTask, Task } from "../queue/task.ts";
import { type Clock, draft, failure, finished, LEASE, put, ROOMY, take, takeOne } from "./store_fixtures.ts";

type Body = (store: Store, clock: Clock) => Promise<void>;
type Test = (sentence: string, body: Body, options?: Partial<StoreOptions>) => void;

const NONE = { scheduled: 0, queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };

/** A batch of so many tasks; their ids. */
async function putBatch(store: Store, size: number, then?: NewTask, id = "b"): Promise<string[]> {
  const drafts = Array.from({ length: size }, () => draft());
  const answers = await store.enqueue(drafts, { batch: { id, then } });
  return answers.map(({ task }) => task.id);
}

const batchesOf = (answers: readonly { batch?: string }[]) => answers.map(({ batch }) => batch);

/** What an ended task asks for in these tests: a task of the type that its metadata names. */
const followUp = (ended: Task): NewTask | undefined =>
  ended.metadata === undefined ? undefined : draft({
    id: `${ended.id}-${ended.status}-${ended.version}`,
    type: JSON.parse(ended.metadata),
    extras: { parent: ended.id },
  });

export function batchesContract(test: Test): void {
  test("extras come back with the task, and go along with it", async (store, clock) => {
    const extras = {
      parent: "p",
      depth: 2,
      traceparent: "00-1-1-01",
      webhook: { url: "https://example.com", events: ["failed" as const], secret: "s" },
    };
    const id = await put(store, { extras });
    deepEqual((await store.get("ann", id))?.extras, extras);
    const { token, task } = await takeOne(store, clock);
    deepEqual(task.extras, extras);
    const error = failure(clock.time);
    const [ended] = await store.settle([{ token, to: "failed", error, crashes: 0 }]);
    deepEqual(ended?.extras, extras);
    deepEqual((await store.retry("ann", id))?.extras, extras);
    equal((await store.get("ann", await put(store)))?.extras, undefined);
  });

  test("list() filters by parent and by batch, together with all else", async (store, clock) => {
    const members = await putBatch(store, 5);
    await putBatch(store, 2, undefined, "c");
    const child = await put(store, { extras: { parent: "p" } });
    const pdf = await put(store, { type: "pdf", extras: { parent: "p" } });
    await put(store, { extras: { parent: "q" } });
    await put(store, { owner: "bob", extras: { parent: "p" } });
    const of = async (query: object) =>
      (await store.list("ann", { limit: 10, ...query })).tasks.map((task) => task.id);
    deepEqual(await of({ parent: "p" }), [pdf, child]);
    deepEqual(await of({ parent: "p", types: ["pdf"] }), [pdf]);
    deepEqual(await of({ parent: "p", statuses: ["failed"] }), []);
    deepEqual(await of({ parent: "p", createdAfter: clock.time + 1 }), []);
    deepEqual(await of({ batch: "b" }), members.toReversed());
    deepEqual(await of({ batch: "b", parent: "p" }), []);
    deepEqual(await of({ batch: "x" }), []);
    deepEqual(await of({ parent: "x" }), []);
    deepEqual((await store.list("bob", { limit: 10, batch: "b" })).tasks, []);
    const page = await store.list("ann", { limit: 3, batch: "b" });
    deepEqual(page.tasks.map((task) => task.id), members.slice(2).reverse());
    const rest = await store.list("ann", { limit: 3, batch: "b", cursor: page.cursor });
    deepEqual(rest.tasks.map((task) => task.id), members.slice(0, 2).reverse());
    equal(rest.cursor, undefined);
  });

  test("batch() counts the batch's tasks by status, for its owner alone", async (store, clock) => {
    const ids = await putBatch(store, 4);
    for (const id of ids) equal((await store.get("ann", id))?.extras?.batch, "b");
    const createdAt = clock.time;
    clock.time += 10;
    const [a, b] = await take(store, clock, { limit: 2 });
    await store.cancel("ann", ids[3]!);
    const counts = { ...NONE, running: 2, queued: 1, cancelled: 1 };
    const unfinished = { id: "b", size: 4, createdAt, finishedAt: undefined, then: undefined };
    deepEqual(await store.batch("ann", "b"), { ...unfinished, counts });
    equal(await store.batch("bob", "b"), undefined);
    equal(await store.batch("ann", "c"), undefined);
    const error = failure(clock.time);
    await store.settle([
      { token: a!.token, to: "failed", error, crashes: 0 },
      { token: b!.token, to: "scheduled", error, crashes: 0, alone: false, runAt: clock.time + 5 },
    ]);
    deepEqual((await store.batch("ann", "b"))?.counts, {
      ...NONE,
      failed: 1,
      scheduled: 1,
      queued: 1,
      cancelled: 1,
    });
    await store.cancel("ann", ids[1]!);
    equal((await store.batch("ann", "b"))?.finishedAt, undefined);
    await store.cancel("ann", ids[2]!);
    equal((await store.batch("ann", "b"))?.finishedAt, clock.time);
  });

  test("a batch has the tasks that are new, and answers say which batch was made", async (store) => {
    const known = draft();
    await store.enqueue([known]);
    const answers = await store.enqueue([known, draft()], { batch: { id: "b" } });
    deepEqual(batchesOf(answers), ["b", "b"]);
    equal((await store.batch("ann", "b"))?.size, 1);
    equal((await store.get("ann", known.id))?.extras, undefined);
    const then = draft();
    const repeated = await store.enqueue([known], { batch: { id: "c", then } });
    deepEqual(batchesOf(repeated), [undefined]);
    equal(await store.batch("ann", "c"), undefined);
    equal(await store.get("ann", then.id), undefined);
  });

  test("a batch's repeat under its idempotency key is the same batch", async (store, clock) => {
    const holder = { extras: { uniqueKey: { key: "u", onConflict: "return" as const } } };
    await store.enqueue([draft(holder)], { batch: { id: "other" } });
    const idempotency = { key: "k", fingerprint: "f", until: clock.time + 1_000 };
    const drafts = [draft(holder), draft()];
    await store.enqueue(drafts, { batch: { id: "b" }, idempotency });
    const again = await store.enqueue(drafts, { batch: { id: "c" }, idempotency });
    deepEqual(batchesOf(again), ["b", "b"]);
    deepEqual(batchesOf((await store.replay("ann", idempotency))!), ["b", "b"]);
    equal(await store.batch("ann", "c"), undefined);
  });

  test("a batch that is refused is none", async (store) => {
    await rejects(putBatch(store, 3), QueueFull);
    equal(await store.batch("ann", "b"), undefined);
  }, { maxTasks: 2 });

  test("a batch's then is accepted once, with the end of its last task", async (store, clock) => {
    const then = draft({ type: "pdf", input: '"all"' });
    const ids = await putBatch(store, 3, then);
    const claims = await take(store, clock, { limit: 2 });
    const error = failure(clock.time);
    await store.settle([
      { token: claims[0]!.token, to: "succeeded", result: undefined },
      { token: claims[1]!.token, to: "failed", error, crashes: 0 },
    ]);
    equal(await store.get("ann", then.id), undefined);
    equal((await store.batch("ann", "b"))?.then, undefined);
    clock.time += 7;
    await store.cancel("ann", ids[2]!);
    const task = await store.get("ann", then.id);
    deepEqual([task?.status, task?.input, task?.createdAt, task?.extras?.batch], [
      "queued",
      '"all"',
      clock.time,
      undefined,
    ]);
    const batch = await store.batch("ann", "b");
    deepEqual([batch?.finishedAt, batch?.then, batch?.size], [clock.time, then.id, 3]);
    const [claim] = await take(store, clock, { type: "pdf" });
    await store.settle([{ token: claim!.token, to: "succeeded", result: undefined }]);
    await store.remove("ann", then.id);
    // Its end a second time is not its end for the first time.
    await store.retry("ann", ids[2]!);
    equal((await store.batch("ann", "b"))?.finishedAt, undefined);
    clock.time += 7;
    await store.cancel("ann", ids[2]!);
    equal((await store.batch("ann", "b"))?.finishedAt, clock.time);
    equal(await store.get("ann", then.id), undefined);
  });

  test(
    "a batch's then comes also when its last task lapses cancelled, or is replaced",
    async (store, clock) => {
      const [lapsing, replacing] = [draft({ type: "pdf" }), draft({ type: "pdf" })];
      const [id] = await putBatch(store, 1, lapsing);
      await takeOne(store, clock);
      await store.cancel("ann", id!);
      clock.time += LEASE + 1;
      await store.recover();
      equal((await store.get("ann", lapsing.id))?.status, "queued");
      const unique = { extras: { uniqueKey: { key: "u", onConflict: "replace" as const } } };
      await store.enqueue([draft(unique), draft(unique)], { batch: { id: "c", then: replacing } });
      equal((await store.batch("ann", "c"))?.finishedAt, undefined);
      await store.enqueue([draft(unique)]);
      equal((await store.batch("ann", "c"))?.then, replacing.id);
      equal((await store.get("ann", replacing.id))?.status, "queued");
    },
  );

  test("a batch's then takes its room with the batch, and so is never refused", async (store, clock) => {
    const then = draft({ type: "pdf", input: "x".repeat(1_000) });
    await rejects(putBatch(store, 3, then), QueueFull);
    const [id] = await putBatch(store, 2, then);
    await rejects(store.enqueue([draft()]), QueueFull);
    await store.cancel("ann", id!);
    await put(store);
    const claims = await take(store, clock, { limit: 9 });
    await store.settle(claims.map(({ token }) => ({ token, to: "cancelled" })));
    equal((await store.get("ann", then.id))?.status, "queued");
    await put(store);
    await put(store);
    await rejects(store.enqueue([draft()]), QueueFull);
  }, { maxTasks: 3 });

  test("a batch counts on what is forgotten, and is forgotten with its last task", async (store, clock) => {
    const ids = await putBatch(store, 2);
    await store.cancel("ann", ids[0]!);
    await store.remove("ann", ids[0]!);
    deepEqual((await store.batch("ann", "b"))?.counts, { ...NONE, queued: 1, cancelled: 1 });
    equal((await store.batch("ann", "b"))?.size, 2);
    const { token } = await takeOne(store, clock);
    await store.settle([{ token, to: "succeeded", result: undefined }]);
    const batch = await store.batch("ann", "b");
    deepEqual([batch?.counts, batch?.finishedAt], [{ ...NONE, succeeded: 1, cancelled: 1 }, clock.time]);
    clock.time += ROOMY.retentionSucceeded + 1;
    await store.sweep(10);
    equal(await store.batch("ann", "b"), undefined);
    deepEqual((await store.list("ann", { limit: 1, batch: "b" })).tasks, []);
  });

  test(
    "followUp is asked at each end of a task, and what it answers is accepted with it",
    async (store, clock) => {
      const metadata = '"pdf"';
      const extras = { webhook: { url: "https://example.com" } };
      const followed = async (id: string) =>
        (await store.list("ann", { parent: id, limit: 10 })).tasks.map((task) =>
          `${task.status} ${task.id.slice(id.length + 1)}`
        );
      const done = await finished(store, clock, "succeeded", { metadata, extras });
      deepEqual(await followed(done), ["queued succeeded-3"]);
      const failed = await finished(store, clock, "failed", { metadata, extras });
      await store.retry("ann", failed);
      await store.cancel("ann", failed);
      deepEqual(await followed(failed), ["queued cancelled-5", "queued failed-3"]);
      const silent = await finished(store, clock, "succeeded", { extras });
      deepEqual(await followed(silent), []);
      equal((await take(store, clock, { type: "pdf", limit: 9 })).length, 3);
    },
    { followUp },
  );

  test(
    "followUp is not asked where another attempt follows, nor for tasks without extras",
    async (store, clock) => {
      const extras = { webhook: { url: "https://example.com" } };
      const id = await put(store, { metadata: '"pdf"', extras });
      const { token } = await takeOne(store, clock);
      const error = failure(clock.time);
      await store.settle([{
        token,
        to: "scheduled",
        error,
        crashes: 0,
        alone: false,
        runAt: clock.time + 1,
      }]);
      deepEqual((await store.list("ann", { parent: id, limit: 9 })).tasks, []);
      const plain = await put(store, { metadata: '"pdf"' });
      await store.cancel("ann", plain);
      deepEqual((await store.list("ann", { parent: plain, limit: 9 })).tasks, []);
    },
    { followUp },
  );

  test("followUp's task is accepted beyond the bounds, and takes room", async (store, clock) => {
    const extras = { webhook: { url: "https://example.com" } };
    const id = await put(store, { metadata: '"pdf"', extras });
    await rejects(store.enqueue([draft()]), QueueFull);
    await store.cancel("ann", id);
    equal((await store.list("ann", { parent: id, limit: 10 })).tasks.length, 1);
    await rejects(store.enqueue([draft()]), QueueFull);
    const [claim] = await take(store, clock, { type: "pdf" });
    await store.settle([{ token: claim!.token, to: "succeeded", result: undefined }]);
    await put(store);
  }, { followUp, maxTasks: 1 });

  test("followUp's task whose id is in use changes nothing", async (store) => {
    const extras = { webhook: { url: "https://example.com" } };
    const id = await put(store, { id: "t", metadata: '"pdf"', extras });
    const taken = await put(store, { id: "t-cancelled-2" });
    const before = await store.get("ann", taken);
    await store.cancel("ann", id);
    deepEqual(await store.get("ann", taken), before);
  }, { followUp });
}
