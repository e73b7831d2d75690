/**
 * A task: one submitted piece of work, with its transition table. Everything here is pure: a transition takes a
 * task and returns the next one, or throws `IllegalTransition`. A `Task` is never changed in place, so whoever
 * holds one holds a snapshot.
 */

/** `scheduled` has a future `runAt`: delayed, or waiting to retry. The last three are final. */
export const STATUSES = ["scheduled", "queued", "running", "succeeded", "failed", "cancelled"] as const;
export type Status = (typeof STATUSES)[number];

/** What went wrong in an attempt. `message` holds no secrets, paths or stacks: clients see it. */
export interface TaskError {
  readonly code: string;
  readonly message: string;
  /** Whether the same attempt could succeed when made again. */
  readonly retryable: boolean;
  /** The attempt that ended so. */
  readonly attempt: number;
  /** When, in milliseconds since the epoch. */
  readonly at: number;
  /** What the code's row in the vocabulary names besides, such as `{ signal }` or `{ status }`. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface Progress {
  readonly current: number;
  readonly total?: number;
  readonly message?: string;
}

export interface LogLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
}

/** At most one task of an owner and type has the same key: the one that took it last, while it is unfinished. */
export interface UniqueKey {
  readonly key: string;
  /** Milliseconds from its creation for which it has the key when it has succeeded, too. */
  readonly keep?: number;
  /** What becomes of a newer task that comes with the key. */
  readonly onConflict: "return" | "reject" | "replace";
}

/** Who is told of a task's end. */
export interface Webhook {
  readonly url: string;
  /** Final statuses; all of them where absent. */
  readonly events?: readonly Status[];
  readonly secret?: string;
}

/** What most tasks have none of: one field of the record, so that those without pay nothing for it. */
export interface Extras {
  /** The id of the batch that it came in. */
  readonly batch?: string;
  /** The id of the task that it was made for. */
  readonly parent?: string;
  /** W3C Trace Context, of the request that made it. */
  readonly traceparent?: string;
  readonly uniqueKey?: UniqueKey;
  readonly webhook?: Webhook;
  /** How many webhooks led to it. */
  readonly depth?: number;
}

/**
 * The record. Times are milliseconds since the epoch, durations milliseconds. Texts marked "JSON" travel as the
 * opaque text that they arrived as: nothing between the route and the handler parses them.
 */
export interface Task {
  readonly id: string;
  readonly type: string;
  /** Whose task it is; `""` where no API keys are in use. Every read is filtered by it. */
  readonly owner: string;
  /** JSON. */
  readonly input: string;
  /** JSON object, or absent. */
  readonly metadata: string | undefined;
  readonly status: Status;
  /** Higher goes first; first come, first served among equals. */
  readonly priority: number;
  /** Attempts begun: 0 until the first claim. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** Of one attempt. */
  readonly timeout: number;
  /** Grows by one with every change, so that it can serve in an `ETag` and as an event id. */
  readonly version: number;
  /** Log lines so far, those included that are no longer kept. A line changes this and nothing else. */
  readonly lines: number;
  readonly createdAt: number;
  readonly runAt: number | undefined;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** When a finished task is forgotten. */
  readonly expiresAt: number | undefined;
  readonly cancelRequestedAt: number | undefined;
  readonly progress: Progress | undefined;
  /** JSON; absent where the handler returned nothing. */
  readonly result: string | undefined;
  /** The last attempt's error: also while the next attempt is waited for. */
  readonly error: TaskError | undefined;
  /** It was in a worker or runner that died: its next attempt runs with nobody beside it. */
  readonly alone: boolean;
  /** Deaths of a worker or runner that this task alone can have caused. */
  readonly crashes: number;
  /** JSON: how far its attempts have come, as its handler says. For no one else. */
  readonly checkpoint: string | undefined;
  readonly extras: Extras | undefined;
}

/** What a client may say of a task. */
export interface NewTask {
  readonly id: string;
  readonly type: string;
  readonly owner: string;
  readonly input: string;
  readonly metadata?: string;
  readonly priority: number;
  readonly maxAttempts: number;
  readonly timeout: number;
  /** In the future: the task starts as `scheduled`. */
  readonly runAt?: number;
  /** Its batch is the store's to say. */
  readonly extras?: Extras;
}

/** The transition table: what may happen to a task of which status, and what status it has then. */
export const TRANSITIONS = {
  due: { from: ["scheduled"], to: "queued" },
  claimed: { from: ["queued"], to: "running" },
  succeeded: { from: ["running"], to: "succeeded" },
  failed: { from: ["running"], to: "failed" },
  retryLater: { from: ["running"], to: "scheduled" },
  released: { from: ["running"], to: "queued" },
  cancelled: { from: ["scheduled", "queued", "running"], to: "cancelled" },
  /** The only one that leaves a final status: by hand. */
  retried: { from: ["failed", "cancelled"], to: "queued" },
} as const satisfies Record<string, { from: readonly Status[]; to: Status }>;
export type Transition = keyof typeof TRANSITIONS;

export function may(status: Status, transition: Transition): boolean {
  const { from }: { from: readonly Status[] } = TRANSITIONS[transition];
  return from.includes(status);
}

export function isFinal(status: Status): boolean {
  return status === "succeeded" || status === "failed" || status === "cancelled";
}

/** A transition that the table does not have. Only a bug in a store can cause it. */
export class IllegalTransition extends Error {
  override name = "IllegalTransition";
  constructor(from: Status, transition: Transition) {
    super(`A ${from} task cannot be ${transition}.`);
  }
}

function move(task: Task, transition: Transition, change: Partial<Task>): Task {
  if (!may(task.status, transition)) throw new IllegalTransition(task.status, transition);
  return { ...task, ...change, status: TRANSITIONS[transition].to, version: task.version + 1 };
}

export function created(draft: NewTask, now: number): Task {
  const later = draft.runAt !== undefined && draft.runAt > now;
  return {
    id: draft.id,
    type: draft.type,
    owner: draft.owner,
    input: draft.input,
    metadata: draft.metadata,
    status: later ? "scheduled" : "queued",
    priority: draft.priority,
    attempt: 0,
    maxAttempts: draft.maxAttempts,
    timeout: draft.timeout,
    version: 1,
    lines: 0,
    createdAt: now,
    runAt: draft.runAt,
    startedAt: undefined,
    finishedAt: undefined,
    expiresAt: undefined,
    cancelRequestedAt: undefined,
    progress: undefined,
    result: undefined,
    error: undefined,
    alone: false,
    crashes: 0,
    checkpoint: undefined,
    extras: draft.extras,
  };
}

/** scheduled → queued: its time has come. */
export function due(task: Task): Task {
  return move(task, "due", {});
}

/** queued → running: a new attempt begins. */
export function claimed(task: Task, now: number): Task {
  return move(task, "claimed", { attempt: task.attempt + 1, startedAt: now, progress: undefined });
}

/** running → succeeded. */
export function succeeded(task: Task, result: string | undefined, now: number, expiresAt?: number): Task {
  return move(task, "succeeded", {
    result,
    error: undefined,
    checkpoint: undefined,
    finishedAt: now,
    expiresAt,
    runAt: undefined,
  });
}

/** running → failed. */
export function failed(
  task: Task,
  error: TaskError,
  crashes: number,
  now: number,
  expiresAt?: number,
): Task {
  return move(task, "failed", { error, crashes, finishedAt: now, expiresAt, runAt: undefined });
}

/** running → scheduled: the attempt failed, another follows at `runAt`. */
export function retryLater(
  task: Task,
  error: TaskError,
  crashes: number,
  alone: boolean,
  runAt: number,
): Task {
  return move(task, "retryLater", {
    error,
    crashes,
    alone,
    runAt,
    startedAt: undefined,
    progress: undefined,
  });
}

/** running → queued: the attempt was cut short through no fault of its own and does not count. */
export function released(task: Task, alone: boolean): Task {
  return move(task, "released", {
    attempt: task.attempt - 1,
    alone: task.alone || alone,
    startedAt: undefined,
    progress: undefined,
  });
}

/** scheduled, queued or running → cancelled. */
export function cancelled(task: Task, now: number, expiresAt?: number): Task {
  return move(task, "cancelled", {
    cancelRequestedAt: task.cancelRequestedAt ?? now,
    finishedAt: now,
    expiresAt,
    runAt: undefined,
  });
}

/** failed or cancelled → queued, by hand: the same id, attempts anew. */
export function retried(task: Task): Task {
  return move(task, "retried", {
    attempt: 0,
    crashes: 0,
    alone: false,
    error: undefined,
    progress: undefined,
    runAt: undefined,
    startedAt: undefined,
    finishedAt: undefined,
    expiresAt: undefined,
    cancelRequestedAt: undefined,
  });
}

/** A running task's latest progress. */
export function progressed(task: Task, progress: Progress): Task {
  return { ...task, progress, version: task.version + 1 };
}

/** A running task has logged that many lines more. Not a new version: nothing that a client sees of it is new. */
export function logged(task: Task, lines: number): Task {
  return { ...task, lines: task.lines + lines };
}

/** How far a running task has come. Not a new version: no client sees it. */
export function checkpointed(task: Task, checkpoint: string): Task {
  return { ...task, checkpoint };
}

/** A running task is asked to stop: the first request counts. */
export function cancelRequested(task: Task, now: number): Task {
  if (task.cancelRequestedAt !== undefined) return task;
  return { ...task, cancelRequestedAt: now, version: task.version + 1 };
}

const RECORD = 640;
/** Their texts are short: this is what they take at most, as a rule. */
const EXTRAS = 1_024;

/** What a task is counted as where bytes are bounded: its texts, and the record around them. */
export function sizeOf(task: Task): number {
  const texts = task.input.length + (task.metadata?.length ?? 0) + (task.result?.length ?? 0) +
    (task.checkpoint?.length ?? 0);
  return (task.extras === undefined ? RECORD : RECORD + EXTRAS) + texts;
}
