import type { Batch, ListQuery, Page, Together } from "../store.ts";
import { type Extras, isFinal, type NewTask } from "../task.ts";
import type { Entry } from "./entry.ts";
import { IdMap } from "./id_map.ts";
import { pageOf } from "./listing.ts";
import { SortedList } from "./sorted_list.ts";

/** Tasks with something in common, in the order of their creation. */
class Group {
  readonly list = new SortedList<Entry>((entry) => entry.seq);

  constructor(readonly id: string) {}
}

/** A batch: of its members the list has those that are still known, and the counts have all. */
class Members extends Group {
  readonly counts = { scheduled: 0, queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
  finishedAt: number | undefined;
  then: string | undefined;

  /** @param next what is to follow, until it does */
  constructor(
    id: string,
    readonly size: number,
    readonly createdAt: number,
    public next: NewTask | undefined,
  ) {
    super(id);
  }

  /** Those that are about to come included. */
  get unfinished(): number {
    return this.size - this.counts.succeeded - this.counts.failed - this.counts.cancelled;
  }
}

/** Who has a unique key: the task that took it last. */
interface Holding {
  readonly name: string;
  readonly entry: Entry;
}

/** What ties the tasks of one owner together: batches, parents and unique keys. Tasks without extras are in none. */
export class Relations {
  readonly #batches = new IdMap<Members>(({ id }) => id);
  readonly #children = new IdMap<Group>(({ id }) => id);
  readonly #holdings = new IdMap<Holding>(({ name }) => name);

  /** The task that has the unique key of tasks of a type with such extras. */
  holder(type: string, extras: Extras | undefined, now: number): Entry | undefined {
    if (extras?.uniqueKey === undefined) return undefined;
    const entry = this.#holdings.get(nameOf(type, extras.uniqueKey.key))?.entry;
    if (entry === undefined || !isFinal(entry.task.status)) return entry;
    const { status, createdAt, extras: own } = entry.task;
    const keep = own?.uniqueKey?.keep ?? 0;
    return status === "succeeded" && createdAt + keep > now ? entry : undefined;
  }

  /** Has the key from now on. Answers the one that took it before, which may have lost it long ago. */
  take(entry: Entry): Entry | undefined {
    const name = keyNameOf(entry);
    const before = this.#holdings.get(name)?.entry;
    if (before !== undefined) this.#holdings.delete(name);
    this.#holdings.add({ name, entry });
    return before;
  }

  /** Undoes a `take`. */
  giveBack(entry: Entry, before: Entry | undefined): void {
    this.#holdings.delete(keyNameOf(entry));
    if (before !== undefined) this.#holdings.add({ name: keyNameOf(before), entry: before });
  }

  open({ id, then }: NonNullable<Together["batch"]>, size: number, now: number): void {
    this.#batches.add(new Members(id, size, now, then));
  }

  /** A task that is new. */
  add(entry: Entry): void {
    const { parent } = entry.task.extras!;
    if (parent !== undefined) {
      let children = this.#children.get(parent);
      if (children === undefined) this.#children.add(children = new Group(parent));
      children.list.insert(entry);
    }
    this.#batchOf(entry)?.list.insert(entry);
  }

  /** A task that is known no longer, after it has left. */
  delete(entry: Entry): void {
    const { parent, uniqueKey } = entry.task.extras!;
    const children = parent === undefined ? undefined : this.#children.get(parent);
    children?.list.remove(entry);
    if (children?.list.length === 0) this.#children.delete(children.id);
    if (uniqueKey !== undefined && this.#holdings.get(keyNameOf(entry))?.entry === entry) {
      this.#holdings.delete(keyNameOf(entry));
    }
    const members = this.#batchOf(entry);
    if (members === undefined) return;
    members.list.remove(entry);
    // It counts on as what it has ended as.
    members.counts[entry.task.status]++;
    if (members.list.length === 0) this.#batches.delete(members.id);
  }

  entered(entry: Entry): void {
    const members = this.#batchOf(entry);
    if (members === undefined) return;
    members.counts[entry.task.status]++;
    if (!isFinal(entry.task.status)) members.finishedAt = undefined;
  }

  left(entry: Entry): void {
    const members = this.#batchOf(entry);
    if (members !== undefined) members.counts[entry.task.status]--;
  }

  /** To be asked when a task has ended: what follows its batch, if that was the last of it. Answers it once. */
  ended(entry: Entry, now: number): NewTask | undefined {
    const members = this.#batchOf(entry);
    if (members === undefined || members.unfinished > 0) return undefined;
    members.finishedAt = now;
    const { next } = members;
    members.next = undefined;
    if (next !== undefined) members.then = next.id;
    return next;
  }

  batch(id: string): Batch | undefined {
    const members = this.#batches.get(id);
    if (members === undefined) return undefined;
    const { size, counts, createdAt, finishedAt, then } = members;
    return { id, size, counts: { ...counts }, createdAt, finishedAt, then };
  }

  /** Of a query that names a batch or a parent. */
  page(query: ListQuery): Page {
    const { batch, parent, types, statuses } = query;
    const group = batch === undefined ? this.#children.get(parent ?? "") : this.#batches.get(batch);
    if (group === undefined) return { tasks: [] };
    return pageOf(
      [group.list],
      query,
      ({ type, status, extras }) =>
        (types?.includes(type) ?? true) && (statuses?.includes(status) ?? true) &&
        (parent === undefined || extras?.parent === parent),
    );
  }

  #batchOf({ task: { extras } }: Entry): Members | undefined {
    return extras?.batch === undefined ? undefined : this.#batches.get(extras.batch);
  }
}

function keyNameOf({ task: { type, extras } }: Entry): string {
  return nameOf(type, extras!.uniqueKey!.key);
}

/** Types hold no line breaks. */
function nameOf(type: string, key: string): string {
  return `${type}\n${key}`;
}
