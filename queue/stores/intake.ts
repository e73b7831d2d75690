import { IdConflict, UniqueConflict } from "../errors.ts";
import type { Enqueued } from "../store.ts";
import { created, type NewTask, type Task } from "../task.ts";
import { type Entry, weigh } from "./entry.ts";
import type { Owners } from "./owners.ts";

/** What a call to enqueue would do. Until it is carried out its tasks are known by their ids, and nowhere else. */
export interface Plan {
  readonly answers: Enqueued[];
  /** Those that are new. */
  readonly fresh: Entry[];
  /** What those weigh. */
  bytes: number;
  /** Those of them that take a unique key, in the same order. */
  readonly takings: Taking[];
}

export interface Taking {
  readonly entry: Entry;
  /** Who took the key before. */
  readonly before: Entry | undefined;
  /** Who has it until now, and is to be replaced. */
  readonly holder: Entry | undefined;
}

/** Turns drafts into entries: all of a call, or none. */
export class Intake {
  #seqs = 0;

  constructor(readonly owners: Owners) {}

  /**
   * @param batch that they are to be in
   * @throws {IdConflict}
   * @throws {UniqueConflict}
   */
  plan(drafts: readonly NewTask[], batch: string | undefined, now: number): Plan {
    const plan: Plan = { answers: [], fresh: [], bytes: 0, takings: [] };
    try {
      for (let index = 0; index < drafts.length; index++) {
        plan.answers.push(this.#take(plan, drafts[index]!, index, batch, now));
      }
      return plan;
    } catch (refusal) {
      this.undo(plan);
      throw refusal;
    }
  }

  undo({ fresh, takings }: Plan): void {
    for (const { entry, before } of takings.toReversed()) {
      this.owners.of(entry.task.owner).relations.giveBack(entry, before);
    }
    for (const { task } of fresh) this.owners.drop(task);
  }

  /** A new task's entry: known by its id, and nowhere else yet. */
  entryOf(draft: NewTask, now: number): Entry {
    const { entries, listing, lines } = this.owners.of(draft.owner);
    const task = created(draft, now);
    const entry = {
      task,
      seq: ++this.#seqs,
      order: 0,
      index: -1,
      claim: undefined,
      logs: undefined,
      line: lines.of(task.type, task.alone),
      lists: listing.of(task.type),
    };
    entries.add(entry);
    return entry;
  }

  #take(plan: Plan, draft: NewTask, index: number, batch: string | undefined, now: number): Enqueued {
    const { entries, relations } = this.owners.of(draft.owner);
    const known = entries.get(draft.id)?.task;
    if (known !== undefined) {
      if (!isReplay(known, draft)) throw new IdConflict(draft.id, index);
      return { task: known, replayed: true };
    }
    const holder = draft.extras && relations.holder(draft.type, draft.extras, now);
    if (holder !== undefined) {
      const { onConflict } = draft.extras!.uniqueKey!;
      if (onConflict === "reject") throw new UniqueConflict(holder.task.id, index);
      if (onConflict === "return") return { task: holder.task, replayed: false, existing: true };
    }
    const entry = this.entryOf(
      batch === undefined ? draft : { ...draft, extras: { ...draft.extras, batch } },
      now,
    );
    plan.fresh.push(entry);
    plan.bytes += weigh(entry);
    if (draft.extras?.uniqueKey) plan.takings.push({ entry, before: relations.take(entry), holder });
    return { task: entry.task, replayed: false };
  }
}

/** Whether it says what the existing task said. */
function isReplay(task: Task, draft: NewTask): boolean {
  return task.type === draft.type && task.input === draft.input && task.metadata === draft.metadata;
}
