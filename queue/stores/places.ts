import type { Token } from "../store.ts";
/** Where the memory store keeps an entry while its task has a certain status. */
import type { Entry } from "./entry.ts";
import { Heap } from "./heap.ts";

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
  #shared = new Map<string, Heap<Entry>>();
  #alone = new Map<string, Heap<Entry>>();
  #orders = 0;

  push(entry: Entry): void {
    const heaps = entry.task.alone ? this.#alone : this.#shared;
    let heap = heaps.get(entry.task.type);
    if (heap === undefined) heaps.set(entry.task.type, heap = new Heap(goesBefore));
    entry.order = ++this.#orders;
    heap.push(entry);
  }

  remove(entry: Entry): void {
    (entry.task.alone ? this.#alone : this.#shared).get(entry.task.type)?.remove(entry);
  }

  /** The one that is to be claimed next. */
  peek(type: string, alone: boolean): Entry | undefined {
    return (alone ? this.#alone : this.#shared).get(type)?.peek();
  }
}

function goesBefore(a: Entry, b: Entry): boolean {
  const byPriority = a.task.priority - b.task.priority;
  return byPriority > 0 || (byPriority === 0 && a.order < b.order);
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
  }

  remove(entry: Entry): void {
    this.#byToken.delete(entry.claim!.token);
    entry.claim = undefined;
  }

  get(token: Token): Entry | undefined {
    return this.#byToken.get(token);
  }

  lapsed(now: number): Entry[] {
    return [...this.#byToken.values()].filter((entry) => entry.claim!.until < now);
  }
}
