import type { ListQuery, Page } from "../store.ts";
import { type Status, STATUSES, type Task } from "../task.ts";
import type { Entry, Lists } from "./entry.ts";
import { SortedList } from "./sorted_list.ts";

/**
 * One owner's tasks in the order of their creation, in a list per type and status, so that a page costs what is on
 * it and a count costs nothing. Creation times must not decrease along `seq`.
 */
export class Listing {
  #types = new Map<string, Lists>();

  /** The lists of a type: an entry is in the one of its status. */
  of(type: string): Lists {
    let lists = this.#types.get(type);
    if (lists === undefined) this.#types.set(type, lists = forEachStatus(() => new SortedList(seqOf)));
    return lists;
  }

  /** Newest first, from all lists that the query names. */
  page(query: ListQuery): Page {
    return pageOf(this.#matching(query), query);
  }

  /** Adds this owner's numbers to `counts`. Types without tasks are left out. */
  addTo(counts: Record<string, Record<Status, number>>): void {
    for (const [type, lists] of this.#types) {
      if (STATUSES.every((status) => lists[status].length === 0)) continue;
      const sums = counts[type] ??= forEachStatus(() => 0);
      for (const status of STATUSES) sums[status] += lists[status].length;
    }
  }

  #matching({ types, statuses }: ListQuery): SortedList<Entry>[] {
    const lists = [...new Set(types ?? this.#types.keys())].flatMap((type) => this.#types.get(type) ?? []);
    const wanted = [...new Set(statuses ?? STATUSES)];
    return lists.flatMap((byStatus) => wanted.map((status) => byStatus[status]));
  }
}

/** Newest first: the next one is the newest of the heads of all lists. `fits` says more of what is wanted. */
export function pageOf(
  lists: readonly SortedList<Entry>[],
  { limit, createdAfter = -Infinity, createdBefore = Infinity, cursor }: ListQuery,
  fits: (task: Task) => boolean = () => true,
): Page {
  const behind = /^\d{1,15}$/.test(cursor ?? "") ? Number(cursor) : Infinity;
  const within = (entry: Entry) => entry.seq < behind && entry.task.createdAt < createdBefore;
  const heads: { entry: Entry; rest: Iterator<Entry, undefined> }[] = [];
  for (const list of lists) {
    const rest = list.descending(within);
    const entry = rest.next().value;
    if (entry !== undefined) heads.push({ entry, rest });
  }
  const tasks: Task[] = [];
  let last: Entry | undefined;
  while (heads.length > 0) {
    const newest = heads.reduce((a, b) => a.entry.seq > b.entry.seq ? a : b);
    const { task } = newest.entry;
    if (task.createdAt < createdAfter) break;
    if (fits(task)) {
      if (tasks.length === limit) return { tasks, cursor: String(last!.seq) };
      last = newest.entry;
      tasks.push(task);
    }
    const next = newest.rest.next().value;
    if (next === undefined) heads.splice(heads.indexOf(newest), 1);
    else newest.entry = next;
  }
  return { tasks };
}

function seqOf(entry: Entry): number {
  return entry.seq;
}

function forEachStatus<T>(make: () => T): Record<Status, T> {
  return {
    scheduled: make(),
    queued: make(),
    running: make(),
    succeeded: make(),
    failed: make(),
    cancelled: make(),
  };
}
