import type { Token } from "../store.ts";
import { sizeOf, type Status, type Task } from "../task.ts";
import type { Indexed } from "./heap.ts";
import type { LastLines } from "./last_lines.ts";
import type { SortedList } from "./sorted_list.ts";
import type { Line } from "./turns.ts";

/** What the memory store holds of one task for as long as it knows it. `task` is replaced with every change. */
export interface Entry extends Indexed {
  task: Task;
  /** Grows from task to task: the order of listings. */
  readonly seq: number;
  /** Grows with everything that is queued: the order among equals in priority. 0 where it has no place yet. */
  order: number;
  /** While it runs. */
  claim: { readonly token: Token; until: number } | undefined;
  logs: LastLines | undefined;
  /** Where it is while it is queued, and counted while it runs. */
  line: Line;
  /** The listing's lists of its owner and type. */
  readonly lists: Lists;
}

export type Lists = Readonly<Record<Status, SortedList<Entry>>>;

/** Bytes that it counts as: the task's, and those of its log. */
export function weigh(entry: Entry): number {
  return sizeOf(entry.task) + (entry.logs?.bytes ?? 0);
}
