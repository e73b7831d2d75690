/** What the tests of stores have in common. */
import type { Claim, Store, StoreOptions } from "../queue/store.ts";
import type { NewTask, TaskError } from "../queue/task.ts";

/** Opens an empty store; what the options leave open comes from `ROOMY`. */
export type Open = (options: Partial<StoreOptions>) => Promise<Store>;

/** Bounds that no test reaches by accident. */
export const ROOMY: StoreOptions = {
  maxTasks: 100_000,
  maxBytes: 256 * 1024 * 1024,
  retentionSucceeded: 24 * 60 * 60 * 1_000,
  retentionFailed: 7 * 24 * 60 * 60 * 1_000,
  retentionBytes: 256 * 1024 * 1024,
  now: Date.now,
};

/** A clock that moves when told to. */
export class Clock {
  time = 1_750_000_000_000;
  readonly now = (): number => this.time;
}

export const LEASE = 30_000;

let ids = 0;

export function draft(change: Partial<NewTask> = {}): NewTask {
  return {
    id: `task-${++ids}`,
    type: "mail",
    owner: "ann",
    input: "{}",
    priority: 0,
    maxAttempts: 5,
    timeout: 60_000,
    ...change,
  };
}

export function failure(at: number, attempt = 1): TaskError {
  return { code: "upstream_unavailable", message: "The server is away.", retryable: true, attempt, at };
}

/** Puts one task in and returns its id. */
export async function put(store: Store, change: Partial<NewTask> = {}): Promise<string> {
  const [answer] = await store.enqueue([draft(change)]);
  return answer!.task.id;
}

export async function take(
  store: Store,
  clock: Clock,
  { type = "mail", alone = false, limit = 1 } = {},
): Promise<Claim[]> {
  return await store.claim([{ type, alone, limit }], clock.time + LEASE);
}

/** Claims the next task, which must be there. */
export async function takeOne(store: Store, clock: Clock, alone = false): Promise<Claim> {
  const [claim] = await take(store, clock, { alone });
  if (claim === undefined) throw new Error("There was nothing to claim.");
  return claim;
}

/** Puts one task in, runs it and ends it so. */
export async function finished(
  store: Store,
  clock: Clock,
  to: "succeeded" | "failed",
  change: Partial<NewTask> = {},
): Promise<string> {
  const id = await put(store, { priority: 1_000, ...change });
  const { token } = await takeOne(store, clock);
  await store.settle([
    to === "succeeded"
      ? { token, to, result: '"done"' }
      : { token, to, error: failure(clock.time), crashes: 0 },
  ]);
  return id;
}
