/** The part of the model about what ties tasks together: idempotency keys, unique keys, batches. Plain lists again. */
import { IdConflict, IdempotencyGone, IdempotencyReused, UniqueConflict } from "../queue/errors.ts";
import type { Batch, Enqueued, Idempotency, Together, Token } from "../queue/store.ts";
import { created, isFinal, type NewTask, STATUSES, type Task } from "../queue/task.ts";
import { draft } from "./store_fixtures.ts";

export interface Row {
  task: Task;
  /** Its place among its owner's: when it was queued last, among all. */
  order: number;
  /** The latest claim of it, among all. */
  claimed: number;
  token?: Token;
  until: number;
}

/** What a call would do. */
export interface Plan {
  readonly answers: Enqueued[];
  readonly fresh: readonly { readonly row: Row; readonly replaces: Row | undefined }[];
}

interface Repeat extends Idempotency {
  readonly owner: string;
  readonly made: readonly Omit<Enqueued, "replayed">[];
}

interface Members extends Pick<Batch, "id" | "createdAt"> {
  readonly owner: string;
  readonly rows: readonly Row[];
  /** Until it has come. */
  next: NewTask | undefined;
  then: string | undefined;
  finishedAt: number | undefined;
}

/** What follows the end of a task in the model, and in the store beside it. */
export function followUp({ owner, id, version, extras }: Task): NewTask | undefined {
  if (extras?.webhook === undefined) return undefined;
  return draft({ id: `${id}+${version}`, owner, type: "pdf", extras: { parent: id } });
}

export class Ties {
  #holders = new Map<string, Row>();
  #repeats: Repeat[] = [];
  #batches: Members[] = [];

  constructor(readonly rows: Row[]) {}

  find(owner: string, id: string): Row | undefined {
    return this.rows.find(({ task }) => task.owner === owner && task.id === id);
  }

  repeated(owner: string, { key, fingerprint }: Idempotency, now: number): Enqueued[] | unknown {
    const repeat = this.#repeats.findLast((one) => one.owner === owner && one.key === key);
    if (repeat === undefined || repeat.until <= now) return undefined;
    if (repeat.fingerprint !== fingerprint) return IdempotencyReused;
    const answers = repeat.made.map(({ task, ...made }) => ({
      task: this.find(owner, task.id)?.task,
      replayed: true,
      ...made,
    }));
    return answers.every(({ task }) => task !== undefined) ? answers : IdempotencyGone;
  }

  /** What the drafts, one owner's, would do; or the class of what is thrown, and they do nothing. */
  plan(drafts: readonly NewTask[], { batch }: Together, now: number): Plan | unknown {
    const holders = new Map(this.#holders);
    const fresh: { row: Row; replaces: Row | undefined }[] = [];
    const answers: Enqueued[] = [];
    for (const wish of drafts) {
      const same = fresh.find(({ row }) => row.task.id === wish.id)?.row;
      const known = (this.find(wish.owner, wish.id) ?? same)?.task;
      if (known !== undefined) {
        if (known.type !== wish.type || known.input !== wish.input) return IdConflict;
        answers.push({ task: known, replayed: true });
        continue;
      }
      const extras = batch === undefined ? wish.extras : { ...wish.extras, batch: batch.id };
      const row: Row = { task: created({ ...wish, extras }, now), order: 0, claimed: 0, until: 0 };
      const name = nameOf(row);
      const holder = name === undefined ? undefined : holding(holders.get(name), now);
      const { onConflict } = wish.extras?.uniqueKey ?? {};
      if (holder !== undefined && onConflict === "reject") return UniqueConflict;
      if (holder !== undefined && onConflict === "return") {
        answers.push({ task: holder.task, replayed: false, existing: true });
        continue;
      }
      if (name !== undefined) holders.set(name, row);
      fresh.push({ row, replaces: holder });
      answers.push({ task: row.task, replayed: false });
    }
    if (batch === undefined || fresh.length === 0) return { answers, fresh };
    return { answers: answers.map((answer) => ({ ...answer, batch: batch.id })), fresh };
  }

  /** The plan is about to be carried out. */
  commit({ answers, fresh }: Plan, owner: string, { batch, idempotency }: Together, now: number): void {
    for (const { row } of fresh) this.take(row);
    if (batch !== undefined && fresh.length > 0) {
      const rows = fresh.map(({ row }) => row);
      const { id, then: next } = batch;
      this.#batches.push({ owner, id, createdAt: now, rows, next, then: undefined, finishedAt: undefined });
    }
    if (idempotency === undefined) return;
    const made = answers.map(({ replayed: _, ...rest }) => rest);
    this.#repeats.push({ owner, ...idempotency, made });
  }

  take(row: Row): void {
    const name = nameOf(row);
    if (name !== undefined) this.#holders.set(name, row);
  }

  /** Another task that has its unique key. */
  rival(row: Row, now: number): Row | undefined {
    const name = nameOf(row);
    const holder = name === undefined ? undefined : holding(this.#holders.get(name), now);
    return holder === row ? undefined : holder;
  }

  forget(row: Row): void {
    this.rows.splice(this.rows.indexOf(row), 1);
    const name = nameOf(row);
    if (name !== undefined && this.#holders.get(name) === row) this.#holders.delete(name);
  }

  /** It has another status now: what is to follow. */
  follow(row: Row, now: number): NewTask[] {
    const members = this.#batches.find(({ rows }) => rows.includes(row));
    const ended = members !== undefined && members.rows.every(({ task }) => isFinal(task.status));
    if (members !== undefined) members.finishedAt = ended ? now : undefined;
    if (!isFinal(row.task.status)) return [];
    const next = [followUp(row.task)];
    if (ended && members.next !== undefined) {
      next.push(members.next);
      members.then = members.next.id;
      members.next = undefined;
    }
    return next.filter((one) => one !== undefined);
  }

  /** All that ever were; those whose rows are gone are known no longer. */
  batches(): { readonly owner: string; readonly id: string; readonly batch: Batch | undefined }[] {
    return this.#batches.map(({ owner, id, rows, createdAt, finishedAt, then }) => {
      const numbers = STATUSES.map((status) =>
        [status, rows.filter(({ task }) => task.status === status).length] as const
      );
      const counts = Object.fromEntries(numbers) as Batch["counts"];
      const known = rows.some((row) => this.rows.includes(row));
      const batch = known ? { id, size: rows.length, counts, createdAt, finishedAt, then } : undefined;
      return { owner, id, batch };
    });
  }
}

function nameOf({ task: { owner, type, extras } }: Row): string | undefined {
  return extras?.uniqueKey && `${owner} ${type} ${extras.uniqueKey.key}`;
}

/** The row where it still has the key that it took. */
function holding(row: Row | undefined, now: number): Row | undefined {
  if (row === undefined || !isFinal(row.task.status)) return row;
  const { status, createdAt, extras } = row.task;
  const keep = extras?.uniqueKey?.keep ?? 0;
  return status === "succeeded" && now < createdAt + keep ? row : undefined;
}
