import type { Listener } from "./events.ts";
import type { LogLine, NewTask, Progress, Status, Task, TaskError } from "./task.ts";

/**
 * The contract of every store; these comments are the specification and `tests/store_contract.ts` is its test.
 *
 * A store keeps tasks, their order and their status. One verb is one transition, done atomically. Verbs of the hot
 * path take and give lists, so that a store can commit a whole turn of the event loop at once. All that a verb
 * returns is a snapshot. A store never calls handlers, reads no environment, and takes its time from the clock that
 * it was given.
 */
export interface Store {
  /**
   * Accepts all of the tasks or none. When the promise resolves, they are kept as safely as this store ever will.
   *
   * A task whose id its owner has used before is a replay where type, input and metadata are the same: the existing
   * task is returned, nothing changes, and it takes no room.
   *
   * Where the `uniqueKey` of a draft is another task's, the draft's `onConflict` decides: `return` answers that task
   * and nothing changes, `reject` throws, `replace` cancels that task, as `cancel` does where it has not finished,
   * and then accepts the new one, which has the key from now on. Drafts are taken in order, so one may meet another
   * of the same call; a replay by its id takes no key.
   *
   * With `idempotency` the answer is remembered under its key; where the key is known, it is that of `replay`.
   *
   * With `batch` the tasks that are new become its members; without any there is no batch. Its `then` takes its room
   * from now on.
   *
   * @throws {QueueFull} past the bound of unfinished tasks, by count or by bytes
   * @throws {IdConflict} for an id in use with other content, also within the call
   * @throws {UniqueConflict}
   * @throws {IdempotencyReused}
   * @throws {IdempotencyGone}
   */
  enqueue(drafts: readonly NewTask[], together?: Together): Promise<Enqueued[]>;

  /**
   * What was answered under an idempotency key: the tasks as they are now, as replays, and for each whether it had a
   * unique key, and which batch was made. `undefined` for a key that is not known: it was not used, its time has
   * passed, or it was one of its owner's oldest among more than a bounded number. No key makes anything twice before
   * that.
   *
   * @throws {IdempotencyReused} where it was used with another fingerprint
   * @throws {IdempotencyGone} where one of the tasks has been forgotten
   */
  replay(owner: string, idempotency: Idempotency): Promise<Enqueued[] | undefined>;

  /**
   * The owner's batch. In the step in which the last of its members ends, its `then` is accepted; not again where a
   * member is retried by hand and ends once more. It is forgotten with the last of its members.
   */
  batch(owner: string, id: string): Promise<Batch | undefined>;

  /** The owner's task; `undefined` also for another owner's. */
  get(owner: string, id: string): Promise<Task | undefined>;

  /** Whether the owner had such a task and it was forgotten by retention. A bounded number is remembered. */
  hasExpired(owner: string, id: string): Promise<boolean>;

  /** The owner's tasks, newest first; `cursor` continues behind the last page, unmoved by tasks created since. */
  list(owner: string, query: ListQuery): Promise<Page>;

  /** The task with its log's last lines, both as of the same moment. `undefined` as with `get`. */
  logs(owner: string, id: string): Promise<Logs | undefined>;

  /**
   * Takes queued tasks, for each want at most `limit`. Owners take turns: next is a task of the owner who has the
   * fewest such tasks running, and among equals of the one who has waited longest, since it came or since a task of
   * it ended; of its own, by priority, then in the order in which they were queued. An owner who has as many running
   * as `concurrencyOf` says, of all types, is passed over until one ends. Tasks that are due become queued first. Each becomes `running`, with a new attempt, and is given to one caller.
   * A want with `alone` takes the tasks that must run with nobody beside them, one without takes the others.
   *
   * @param until when the claim lapses unless it is renewed
   */
  claim(wants: readonly Want[], until: number): Promise<Claim[]>;

  /** Prolongs claims; answers the tokens that are no longer ours. */
  renew(tokens: readonly Token[], until: number): Promise<Token[]>;

  /**
   * Tasks whose claim lapsed are queued again in their old place, `alone`, without the attempt being counted; one that was asked to
   * cancel becomes `cancelled` instead. Answers how many.
   */
  recover(): Promise<number>;

  /**
   * Ends attempts. Fenced: where the task is no longer running under this token, nothing changes and the answer in
   * its place is `undefined`; otherwise it is the task as it now is. A task that was asked to cancel never runs
   * again: in place of `scheduled` or `queued` it becomes `cancelled`. What is `queued` again keeps its old place.
   */
  settle(settlements: readonly Settlement[]): Promise<(Task | undefined)[]>;

  /** Keeps progress (the last one wins) and log lines (the last ones stay). Fenced as `settle`; never fails. */
  report(reports: readonly Report[]): Promise<void>;

  /**
   * Keeps what an attempt leaves to those after it, in place of what was kept before, and tells nobody of it. The next
   * claims have it; it goes when the task succeeds. Fenced as `settle`: answers which are kept, once they are as safe
   * as the tasks.
   */
  checkpoint(checkpoints: readonly Checkpoint[]): Promise<boolean[]>;

  /**
   * A scheduled or queued task becomes `cancelled`. A running one gets `cancelRequestedAt`, once, and goes on until
   * its dispatcher settles it. A cancelled one is answered as it is.
   *
   * @throws {WrongStatus} where it has succeeded or failed
   */
  cancel(owner: string, id: string): Promise<Task | undefined>;

  /**
   * A failed or cancelled task becomes `queued` again, with attempts anew.
   *
   * @throws {WrongStatus} where it has succeeded, or has not finished
   * @throws {QueueFull}
   * @throws {UniqueConflict} where another task has its unique key by now
   */
  retry(owner: string, id: string): Promise<Task | undefined>;

  /**
   * Forgets a finished task with all that belongs to it. `false` where the owner has no such task.
   *
   * @throws {WrongStatus} where it has not finished
   */
  remove(owner: string, id: string): Promise<boolean>;

  /** How many tasks there are, by type and status; for one owner, or all. */
  counts(owner?: string): Promise<Counts>;

  /** When the next scheduled task is due; `undefined` where none is. */
  nextDue(): Promise<number | undefined>;

  /**
   * Forgets finished tasks whose `expiresAt` has passed, and beyond the bound by bytes those that would expire
   * first. Takes at most `limit` per call, so that nobody waits for it; answers how many.
   */
  sweep(limit: number): Promise<number>;

  /**
   * Tells of every change of a task. Whoever subscribes and then reads misses nothing: what a read does not include is
   * told after it began. Returns the function that ends it.
   */
  subscribe(listener: Listener): () => void;

  /** Nothing is called after it. */
  close(): Promise<void>;
}

/** Proves a claim. What it is, its store decides; numbers are cheaper to look up than texts. */
export type Token = string | number;

export interface Enqueued {
  readonly task: Task;
  readonly replayed: boolean;
  /** It is another task, which has the draft's unique key. */
  readonly existing?: true;
  /** The batch that the call has made. */
  readonly batch?: string;
}

/** What holds for all tasks of a call, which are one owner's. */
export interface Together {
  readonly batch?: {
    readonly id: string;
    /**
     * A task that is to follow when all have ended, however they ended. Its unique key is not looked at, and where
     * its id is in use by then, that task stands for it.
     */
    readonly then?: NewTask;
  };
  readonly idempotency?: Idempotency;
}

export interface Idempotency {
  /** The owner's. */
  readonly key: string;
  /** Of the request: the same again has the same. */
  readonly fingerprint: string;
  /** The key is forgotten then: in milliseconds since the epoch. */
  readonly until: number;
}

export interface Batch {
  readonly id: string;
  readonly size: number;
  /** Of all its members: those that are known no longer count as what they have ended as. */
  readonly counts: Readonly<Record<Status, number>>;
  readonly createdAt: number;
  /** When the last of them ended; absent while one has not. */
  readonly finishedAt: number | undefined;
  /** The id of its `then`, once that was accepted. */
  readonly then: string | undefined;
}

export interface ListQuery {
  readonly statuses?: readonly Status[];
  readonly types?: readonly string[];
  /** Members of this batch. */
  readonly batch?: string;
  /** Tasks that were made for this one. */
  readonly parent?: string;
  /** Inclusive, in milliseconds since the epoch. */
  readonly createdAfter?: number;
  /** Exclusive. */
  readonly createdBefore?: number;
  /** At least 1. */
  readonly limit: number;
  /** A `Page`'s, unchanged. A text that is none of this store's lists from the start. */
  readonly cursor?: string;
}

export interface Page {
  readonly tasks: Task[];
  /** Present where more follow. */
  readonly cursor?: string;
}

export interface Logs {
  readonly task: Task;
  /** The last ones of the `task.lines` that its attempts have logged, oldest first. */
  readonly lines: readonly LogLine[];
}

export interface Want {
  readonly type: string;
  readonly alone: boolean;
  readonly limit: number;
}

/** A task taken by a dispatcher, with the proof that it is still ours. */
export interface Claim {
  readonly token: Token;
  readonly task: Task;
}

export type Settlement =
  & { readonly token: Token }
  & (
    | { readonly to: "succeeded"; readonly result: string | undefined }
    | { readonly to: "failed"; readonly error: TaskError; readonly crashes: number }
    /** Another attempt follows at `runAt`. */
    | {
      readonly to: "scheduled";
      readonly error: TaskError;
      readonly crashes: number;
      readonly alone: boolean;
      readonly runAt: number;
    }
    /** Cut short through no fault of its own: the attempt does not count. */
    | { readonly to: "queued"; readonly alone: boolean }
    | { readonly to: "cancelled" }
  );

export interface Report {
  readonly token: Token;
  readonly progress?: Progress;
  readonly log?: readonly LogLine[];
}

export interface Checkpoint {
  readonly token: Token;
  /** JSON, of bounded length. */
  readonly checkpoint: string;
}

export type Counts = Readonly<Record<string, Readonly<Record<Status, number>>>>;

/** Bounds and retention, the same for every store. */
export interface StoreOptions {
  /** Unfinished tasks. */
  readonly maxTasks: number;
  /** Bytes of unfinished tasks, as `sizeOf` counts. */
  readonly maxBytes: number;
  /** Milliseconds a succeeded or cancelled task is kept. */
  readonly retentionSucceeded: number;
  /** Milliseconds a failed task is kept. */
  readonly retentionFailed: number;
  /** Bytes of finished tasks that are kept at most. */
  readonly retentionBytes: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /**
   * Called whenever a task with `extras` reaches a final status: what it answers is accepted in the same step,
   * whatever the bounds, unless its id is in use. It must not throw.
   */
  readonly followUp?: (ended: Task) => NewTask | undefined;
  /** Tasks that an owner may have running at the same time, 1 at least; as many as there is room for by default. */
  readonly concurrencyOf?: (owner: string) => number | undefined;
}
