/** Where the memory store keeps an entry while its task has a certain status. */
import type { StoreOptions, Token, Want } from "../store.ts";
import type { Entry } from "./entry.ts";
import { Heap } from "./heap.ts";
import { Lines, Round, Turns } from "./turns.ts";

/** A place takes an entry and lets go of it. */
export interface Place {
  push(entry: Entry): void;
  remove(entry: Entry): void;
}

/** Scheduled tasks, the next one due first. */
export function scheduledPlace(): Heap<Entry> {
  return new Heap((a, b) => earlier(a.task.runAt ?? 0, b.task.runAt ?? 0, a, b));
}

/** Finished tasks, the next one to expire first. */
export function finishedPlace(): Heap<Entry> {
  return new Heap((a, b) => earlier(a.task.expiresAt ?? 0, b.task.expiresAt ?? 0, a, b));
}

function earlier(timeOfA: number, timeOfB: number, a: Entry, b: Entry): boolean {
  return timeOfA < timeOfB || (timeOfA === timeOfB && a.seq < b.seq);
}

/** Queued tasks: for each type those that may have company, and those that must run alone. */
export class QueuedPlace implements Place {
  #shared = new Map<string, Turns>();
  #alone = new Map<string, Turns>();
  #concurrencyOf: StoreOptions["concurrencyOf"];
  #orders = 0;

  constructor(concurrencyOf?: StoreOptions["concurrencyOf"]) {
    this.#concurrencyOf = concurrencyOf;
  }

  /** Where the tasks of a new owner wait. */
  linesOf(owner: string): Lines {
    return new Lines(owner, (type, alone) => {
      const turns = alone ? this.#alone : this.#shared;
      if (!turns.has(type)) turns.set(type, new Turns(this.#concurrencyOf));
      return turns.get(type)!;
    });
  }

  push(entry: Entry): void {
    const { type, alone } = entry.task;
    if (entry.line.alone !== alone) entry.line = entry.line.lines.of(type, alone);
    // Whose run was cut short keeps its place.
    if (entry.order === 0) entry.order = ++this.#orders;
    entry.line.push(entry);
  }

  remove(entry: Entry): void {
    entry.line.remove(entry);
  }

  /** What is to be claimed, one after the other. */
  round(wants: readonly Want[]): Round {
    const round = new Round();
    for (const { type, alone, limit } of wants) {
      const turns = (alone ? this.#alone : this.#shared).get(type);
      if (turns !== undefined) round.add(turns, limit);
    }
    return round;
  }
}

/** Running tasks by the token of their claim, which is a number. */
export class RunningPlace implements Place {
  #byToken = new Map<Token, Entry>();
  #last = 0;

  newToken(): Token {
    return ++this.#last;
  }

  push(entry: Entry): void {
    this.#byToken.set(entry.claim!.token, entry);
    entry.line.began();
  }

  remove(entry: Entry): void {
    this.#byToken.delete(entry.claim!.token);
    entry.claim = undefined;
    entry.line.ended();
  }

  get(token: Token): Entry | undefined {
    return this.#byToken.get(token);
  }

  lapsed(now: number): Entry[] {
    return [...this.#byToken.values()].filter((entry) => entry.claim!.until < now);
  }
}
