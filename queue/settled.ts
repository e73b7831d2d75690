/** What becomes of a running task. Pure, and the same for every store. */
import type { Settlement, StoreOptions } from "./store.ts";
import { cancelled, failed, released, retryLater, succeeded, type Task } from "./task.ts";

type Retention = Pick<StoreOptions, "retentionSucceeded" | "retentionFailed">;

/** As its dispatcher says; but what was asked to cancel never runs again. */
export function settled(task: Task, how: Settlement, now: number, keep: Retention): Task {
  switch (how.to) {
    case "succeeded":
      return succeeded(task, how.result, now, now + keep.retentionSucceeded);
    case "failed":
      return failed(task, how.error, how.crashes, now, now + keep.retentionFailed);
    case "cancelled":
      return stopped(task, now, keep);
    case "scheduled":
      if (task.cancelRequestedAt !== undefined) return stopped(task, now, keep);
      return retryLater(task, how.error, how.crashes, how.alone, how.runAt);
    case "queued":
      if (task.cancelRequestedAt !== undefined) return stopped(task, now, keep);
      return released(task, how.alone);
  }
}

/** Nobody has renewed its claim. */
export function lapsed(task: Task, now: number, keep: Retention): Task {
  return task.cancelRequestedAt === undefined ? released(task, true) : stopped(task, now, keep);
}

/** Cancelled, whether it was running or not. */
export function stopped(task: Task, now: number, keep: Retention): Task {
  return cancelled(task, now, now + keep.retentionSucceeded);
}
