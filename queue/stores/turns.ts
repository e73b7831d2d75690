/**
 * Whose turn it is. Owners share what there is room for, however much each of them has queued: next is the one with
 * the fewest tasks of the type running, and among equals the one that has waited longest. So who comes anew waits
 * for one of the running tasks to end, and not for the queue of another.
 */
import type { StoreOptions } from "../store.ts";
import type { Entry } from "./entry.ts";
import { Heap, type Indexed } from "./heap.ts";

/** Grows with everything that begins to wait: the order of turns, of all types. */
let lastTurn = 0;

/** One owner's queued tasks of one type: those that may have company, or those that must run alone. */
export class Line implements Indexed {
  /** Its place in its `Turns`; -1 where nothing waits, or the owner is passed over. */
  index = -1;
  running = 0;
  /** Since when it waits for its turn. */
  turn = 0;
  readonly #waiting = new Heap<Entry>(goesBefore);

  constructor(readonly lines: Lines, readonly alone: boolean, readonly turns: Turns) {}

  /** By priority, then in the order in which they were queued. */
  peek(): Entry | undefined {
    return this.#waiting.peek();
  }

  push(entry: Entry): void {
    if (this.#waiting.length === 0) this.turn = ++lastTurn;
    this.#waiting.push(entry);
    this.wait();
  }

  remove(entry: Entry): void {
    this.#waiting.remove(entry);
    if (this.#waiting.length === 0 && this.index !== -1) this.turns.remove(this);
  }

  /** Is in the turns from now on, where something waits. */
  wait(): void {
    if (this.index === -1 && this.#waiting.length > 0) this.turns.push(this);
  }

  /** A task that was in it runs. */
  began(): void {
    this.running++;
    this.lines.running++;
    if (this.index !== -1) this.turns.moved(this);
  }

  /** A task that was in it runs no longer: who was served is last among equals. */
  ended(): void {
    this.running--;
    this.lines.running--;
    this.turn = ++lastTurn;
    if (this.index !== -1) this.turns.moved(this);
    this.lines.resume();
  }
}

/** All lines of one owner. */
export class Lines {
  /** Tasks of all types. */
  running = 0;
  readonly #shared = new Map<string, Line>();
  readonly #alone = new Map<string, Line>();
  /** Those that were passed over, as the owner had as many running as it may. */
  readonly #passed = new Set<Line>();

  constructor(readonly owner: string, readonly turnsOf: (type: string, alone: boolean) => Turns) {}

  of(type: string, alone: boolean): Line {
    const lines = alone ? this.#alone : this.#shared;
    let line = lines.get(type);
    if (line === undefined) lines.set(type, line = new Line(this, alone, this.turnsOf(type, alone)));
    return line;
  }

  pass(line: Line): void {
    this.#passed.add(line);
  }

  resume(): void {
    if (this.#passed.size === 0) return;
    for (const line of this.#passed) line.wait();
    this.#passed.clear();
  }
}

/** The lines of all owners in which tasks of one type wait, the next one to be served first. */
export class Turns extends Heap<Line> {
  readonly #concurrencyOf: StoreOptions["concurrencyOf"];

  constructor(concurrencyOf: StoreOptions["concurrencyOf"]) {
    super(goesFirst);
    this.#concurrencyOf = concurrencyOf;
  }

  /** Whose turn it is. Who may not run more is set aside until that changes: nobody looks at it twice. */
  override peek(): Line | undefined {
    let line = super.peek();
    if (this.#concurrencyOf === undefined) return line;
    for (; line !== undefined && this.#isFull(line.lines); line = super.peek()) {
      this.remove(line);
      line.lines.pass(line);
    }
    return line;
  }

  #isFull({ owner, running }: Lines): boolean {
    const most = this.#concurrencyOf!(owner);
    return most !== undefined && running >= most;
  }
}

/** What one claim may take, of all types: where an owner may run but one more, its types take turns as well. */
export class Round {
  readonly #open: { readonly turns: Turns; left: number }[] = [];

  /** So many may be taken of these. */
  add(turns: Turns, left: number): void {
    if (turns.peek() !== undefined && left > 0) this.#open.push({ turns, left });
  }

  /** The next one; it must have left its line before the following one is asked for. */
  next(): Entry | undefined {
    let first: Line | undefined;
    let of = this.#open[0];
    for (const one of this.#open) {
      const line = one.left > 0 ? one.turns.peek() : undefined;
      if (line === undefined || (first !== undefined && goesFirst(first, line))) continue;
      first = line;
      of = one;
    }
    if (first !== undefined) of!.left--;
    return first?.peek();
  }
}

function goesFirst(a: Line, b: Line): boolean {
  return a.running < b.running || (a.running === b.running && a.turn < b.turn);
}

function goesBefore(a: Entry, b: Entry): boolean {
  const byPriority = a.task.priority - b.task.priority;
  return byPriority > 0 || (byPriority === 0 && a.order < b.order);
}
