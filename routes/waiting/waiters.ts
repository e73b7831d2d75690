import type { Change } from "../../queue/events.ts";
import type { Store } from "../../queue/store.ts";
import { Heap, type Indexed } from "../../queue/stores/heap.ts";
import { isFinal } from "../../queue/task.ts";
import { type Caller, stillAdmitted } from "../admit.ts";
import { whenAborted } from "../endings.ts";
import { waitOf } from "./prefer.ts";

/** What is looked at again and again until it is as it was waited for. */
export interface Look<T> {
  /** The id of the task or of the batch that is waited for. */
  readonly id: string;
  /** Reads it anew. */
  read(): Promise<T>;
  /** What is known of it already: enough where nobody waits. */
  readonly known?: T;
  /** Whether the wait is over. */
  done(found: T): boolean;
}

export interface Found<T> {
  readonly found: T;
  /** What the answer says of the wait: `Vary` and `Preference-Applied`. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface WaitersOptions {
  readonly store: Pick<Store, "subscribe">;
  /** Milliseconds of a wait at most. */
  readonly waitMax: number;
  /** Waiting requests at most; those beyond are answered at once, as `wait` is but a preference. */
  readonly waitersMax: number;
  /** When it aborts all waits end, and none begins. */
  readonly drain?: AbortSignal;
}

/** Why a wait was woken. */
type Reason = "change" | "time" | "end";

interface Waiter extends Indexed {
  readonly key: string;
  /** As `performance.now()` has it. */
  readonly deadline: number;
  wake(reason: Reason): void;
}

const NONE = {};
const VARY = { vary: "Prefer" };

/**
 * Requests with `Prefer: wait=N` that are waiting. However many they are, there is one subscription to the store,
 * one look into a map for each change, and one timer, and nothing of it while nobody waits.
 */
export class Waiters {
  readonly #options: WaitersOptions;
  readonly #waiting = new Map<string, Set<Waiter>>();
  readonly #deadlines = new Heap<Waiter>((a, b) => a.deadline < b.deadline);
  #unsubscribe: (() => void) | undefined;
  #timer: { at: number; id: ReturnType<typeof setTimeout> } | undefined;

  constructor(options: WaitersOptions) {
    this.#options = options;
  }

  /** Those that are waiting now. */
  get size(): number {
    return this.#deadlines.length;
  }

  /**
   * What `look` finds, at once, or where the request prefers to wait, when it is done or the time is over.
   *
   * @throws {Problem} `unauthenticated` where the caller's key was revoked meanwhile
   * @throws what `look` throws
   */
  async look<T>(request: Request, caller: Caller, look: Look<T>): Promise<Found<T>> {
    const prefer = request.headers.get("prefer");
    const seconds = prefer === null ? 0 : Math.min(waitOf(prefer), this.#options.waitMax / 1000);
    if (seconds === 0) return { found: look.known ?? await look.read(), headers: NONE };
    const { waitersMax, drain } = this.#options;
    if (drain?.aborted || this.size >= waitersMax) return { found: await look.read(), headers: VARY };
    return await this.#hold(request, caller, look, seconds);
  }

  /** In the map before the first look: what changes after a look wakes it. */
  async #hold<T>(request: Request, caller: Caller, look: Look<T>, seconds: number): Promise<Found<T>> {
    const waiter = new Wait(keyOf(caller.owner, look.id), performance.now() + seconds * 1000);
    this.#add(waiter);
    const stops = [request.signal, caller.signal, this.#options.drain]
      .map((signal) => whenAborted(signal, () => waiter.wake("end")));
    try {
      let found = await look.read();
      let reason: Reason = "change";
      while (!look.done(found) && reason === "change") {
        reason = await waiter.woken();
        found = await look.read();
      }
      stillAdmitted(caller);
      const heeded = reason !== "end" || look.done(found);
      return { found, headers: heeded ? { ...VARY, "preference-applied": `wait=${seconds}` } : VARY };
    } finally {
      for (const stop of stops) stop();
      this.#remove(waiter);
    }
  }

  #add(waiter: Waiter): void {
    this.#unsubscribe ??= this.#options.store.subscribe((changes) => this.#heard(changes));
    const same = this.#waiting.get(waiter.key);
    if (same === undefined) this.#waiting.set(waiter.key, new Set([waiter]));
    else same.add(waiter);
    this.#deadlines.push(waiter);
    this.#setTimer();
  }

  #remove(waiter: Waiter): void {
    const same = this.#waiting.get(waiter.key)!;
    same.delete(waiter);
    if (same.size === 0) this.#waiting.delete(waiter.key);
    if (waiter.index >= 0) this.#deadlines.remove(waiter);
    if (this.#waiting.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    clearTimeout(this.#timer?.id);
    this.#timer = undefined;
  }

  #heard(changes: readonly Change[]): void {
    for (const { task, kind } of changes) {
      if (kind === "log") continue;
      this.#wake(task.owner, task.id);
      const batch = task.extras?.batch;
      if (batch !== undefined && isFinal(task.status)) this.#wake(task.owner, batch);
    }
  }

  #wake(owner: string, id: string): void {
    this.#waiting.get(keyOf(owner, id))?.forEach((waiter) => waiter.wake("change"));
  }

  /** The timer may come too early, where whoever it was for has gone: then it is set again. */
  #setTimer(): void {
    const next = this.#deadlines.peek()?.deadline;
    if (next === undefined || (this.#timer !== undefined && this.#timer.at <= next)) return;
    clearTimeout(this.#timer?.id);
    const id = setTimeout(() => this.#timeOver(), Math.max(0, next - performance.now()));
    this.#timer = { at: next, id };
  }

  #timeOver(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (let next = this.#deadlines.peek(); next && next.deadline <= now; next = this.#deadlines.peek()) {
      this.#deadlines.remove(next);
      next.wake("time");
    }
    this.#setTimer();
  }
}

/** One that waits. What comes while it does not ask is not lost. */
class Wait implements Waiter {
  index = -1;
  #changed = false;
  #over: "time" | "end" | undefined;
  #call: (() => void) | undefined;

  constructor(readonly key: string, readonly deadline: number) {}

  wake(reason: Reason): void {
    if (reason === "change") this.#changed = true;
    else this.#over ??= reason;
    this.#call?.();
  }

  async woken(): Promise<Reason> {
    if (!this.#changed && this.#over === undefined) {
      await new Promise<void>((resolve) => this.#call = resolve);
    }
    this.#changed = false;
    return this.#over ?? "change";
  }
}

/** Ids are unique among those of an owner, and have no spaces. */
function keyOf(owner: string, id: string): string {
  return `${id} ${owner}`;
}
