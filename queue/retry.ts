/** What follows a failure. Pure: the same task, failure, time and chance give the same answer. */
import type { Failure } from "./outcome.ts";
import type { Settlement } from "./store.ts";
import type { Task, TaskError } from "./task.ts";

export interface RetryPolicy {
  /** Milliseconds before the first retry, at most; doubled for each further one. */
  readonly base: number;
  /** Milliseconds at most. */
  readonly max: number;
}

/** An upstream's `Retry-After` is honoured up to here. */
const LONGEST_RETRY_AFTER = 3_600_000;
/** Deaths that one task may cause. */
const MOST_CRASHES = 3;
/** A task that ran out of memory is tried once more. */
const MOST_OUT_OF_MEMORY = 2;

/**
 * Full jitter: anywhere between nothing and the exponential bound, so that tasks that failed together do not come
 * back together (AWS Architecture Blog, "Exponential Backoff And Jitter").
 *
 * @param attempt the one that failed, from 1
 * @param random in [0, 1)
 */
export function backoff(attempt: number, { base, max }: RetryPolicy, random: number): number {
  return Math.floor(random * Math.min(max, base * 2 ** Math.min(attempt - 1, 30)));
}

type Decision = Settlement extends infer S ? S extends Settlement ? Omit<S, "token"> : never : never;

export function afterFailure(
  task: Task,
  failure: Failure,
  policy: RetryPolicy,
  now: number,
  random: number,
): Decision {
  if (failure.code === "cancelled") return { to: "cancelled" };
  if (failure.code === "shutdown_aborted") return { to: "queued", alone: false };
  const crashes = task.crashes + (failure.crash ? 1 : 0);
  const error = (retryable: boolean, code = failure.code, details = failure.details): TaskError => ({
    code,
    message: failure.message,
    retryable,
    attempt: task.attempt,
    at: now,
    ...(details && { details }),
  });
  if (failure.crash && crashes >= MOST_CRASHES) {
    return {
      to: "failed",
      error: error(false, "poisoned", { ...failure.details, cause: failure.code }),
      crashes,
    };
  }
  const outOfMemoryAgain = failure.code === "out_of_memory" && crashes >= MOST_OUT_OF_MEMORY;
  if (!failure.retryable || outOfMemoryAgain || task.attempt >= task.maxAttempts) {
    return { to: "failed", error: error(failure.retryable), crashes };
  }
  const wait = Math.max(
    backoff(task.attempt, policy, random),
    Math.min(failure.retryAfter ?? 0, LONGEST_RETRY_AFTER),
  );
  return { to: "scheduled", error: error(true), crashes, alone: failure.crash ?? false, runAt: now + wait };
}
