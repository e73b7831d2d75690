/**
 * Outside the thread wall: a type's workers. It knows idle, run and close, and nothing of stores and statuses.
 * Every run is answered by exactly one `done`, `fail` or `released`, whatever its worker does.
 */
import type { Failed, Innocence, Order, PoolSpec, Report } from "./messages.ts";
import { Thread } from "./thread.ts";

/** A nap is never longer, since timers overflow. */
const LONGEST_NAP = 60_000;

interface Run {
  readonly key: number;
  readonly order: Order;
  readonly timeout: number;
  /** `performance.now()` at which it is asked to stop; infinite until its worker is ready. */
  deadline: number;
  /** Why it was asked to stop, when it is made to, and whether the thread has heard of it. */
  stopping: { reason: string; by: number; heard: boolean } | undefined;
}

type RunThread = Thread<Run>;

export class Pool {
  readonly #threads = new Set<RunThread>();
  readonly #homes = new Map<number, RunThread>();
  /** Terminated, and not known to have died. Until then nothing begins: the process may have to go. */
  #dying = 0;
  #ready = false;
  #waiting: Run[] = [];
  #alarm: { at: number; timer: ReturnType<typeof setTimeout> } | undefined;

  constructor(private readonly spec: PoolSpec, private readonly tell: (report: Report) => void) {}

  /** The keys of all runs that are under way. */
  get running(): number[] {
    return [...this.#homes.keys()];
  }

  take(order: Order): void {
    if (order[0] === "run") {
      const [, key, , , timeout] = order;
      this.#place({ key, order, timeout, deadline: Infinity, stopping: undefined });
    } else if (order[0] === "stop") this.#stop(order[1], order[2]);
    else if (order[0] === "abandon") this.#stop(order[1], "cancelled");
    else if (order[0] === "kept") this.#homes.get(order[1])?.post(order);
  }

  close(): void {
    clearTimeout(this.#alarm?.timer);
    for (const thread of this.#threads) thread.end();
    this.#threads.clear();
    this.#homes.clear();
  }

  #place(run: Run): void {
    const thread = this.#dying > 0 ? undefined : this.#pick();
    if (!thread) {
      this.#waiting.push(run);
      return;
    }
    thread.runs.set(run.key, run);
    this.#homes.set(run.key, thread);
    if (thread.loaded) this.#arm(run);
    thread.post(run.order);
  }

  /** The least busy worker with room; a new one while there may be more. */
  #pick(): RunThread | undefined {
    let best: RunThread | undefined;
    let active = 0;
    for (const thread of this.#threads) {
      if (thread.retiring) continue;
      active++;
      if (!best || thread.runs.size < best.runs.size) best = thread;
    }
    if ((!best || best.runs.size > 0) && active < this.spec.workers) return this.#spawn();
    return best && best.runs.size < this.spec.tasksPerWorker ? best : undefined;
  }

  #spawn(): RunThread {
    const thread: RunThread = new Thread<Run>(this.spec, {
      loaded: () => {
        if (!this.#ready) this.tell(["ready"]);
        this.#ready = true;
        for (const run of thread.runs.values()) this.#arm(run);
      },
      unloadable: (message, stack) => this.#unloadable(thread, message, stack),
      heard: (report) => this.#hear(thread, report),
      died: (code, message) => this.#died(thread, code, message),
      violated: (why) => this.#violated(thread, why),
    });
    this.#threads.add(thread);
    return thread;
  }

  #hear(thread: RunThread, report: Report): void {
    switch (report[0]) {
      case "done":
      case "fail":
        if (this.#forget(thread, report[1])) this.tell(report);
        else thread.count();
        return this.#settled(thread);
      case "progress":
      case "log":
      case "made":
      case "checkpoint":
        thread.count();
        if (thread.runs.has(report[1])) this.tell(report);
        return;
      case "stopping": {
        thread.count();
        const run = thread.runs.get(report[1]);
        if (run?.stopping) run.stopping.heard = true;
        return;
      }
      case "uncaught":
        thread.count();
        this.#uncaught(thread, report[1], report[2], report[3]);
    }
  }

  /**
   * A floating rejection or a throwing timer: its run fails, its worker is replaced, neighbours may finish. Where its
   * run is unknown or has ended, nobody is blamed.
   */
  #uncaught(thread: RunThread, key: number, message: string, stack: string): void {
    thread.retiring = true;
    this.#fail(thread, key, { code: "unhandled_rejection", message, retryable: true, stack });
    this.#settled(thread);
  }

  #unloadable(thread: RunThread, message: string, stack?: string): void {
    for (const key of [...thread.runs.keys()]) {
      this.#fail(thread, key, { code: "handler_load_failed", message, retryable: false, stack });
    }
    this.#end(thread);
  }

  /** The worker is dead already: its only run caused it; of several nobody knows which, and each runs alone next. */
  #died(thread: RunThread, code: string, message: string): void {
    if (!thread.loaded) return this.#unloadable(thread, "The worker ended while it loaded the task file.");
    this.#blame(thread, { code, message, retryable: true, crash: true });
    this.#end(thread);
  }

  #violated(thread: RunThread, why: string): void {
    this.#blame(thread, { code: "protocol_violation", message: why, retryable: false, crash: true });
    this.#end(thread);
    this.tell(["condemned", "protocol_violation", why, []]);
  }

  #blame(thread: RunThread, failed: Failed): void {
    const keys = [...thread.runs.keys()];
    if (keys.length === 1) this.#fail(thread, keys[0]!, failed);
    else this.#release(thread, "suspect");
  }

  #fail(thread: RunThread, key: number, failed: Failed): void {
    if (this.#forget(thread, key)) this.tell(["fail", key, failed]);
  }

  #release(thread: RunThread, as: Innocence): void {
    const keys = [...thread.runs.keys()];
    for (const key of keys) this.#forget(thread, key);
    if (keys.length > 0) this.tell(["released", keys, as]);
  }

  #forget(thread: RunThread, key: number): boolean {
    if (!thread.runs.delete(key)) return false;
    this.#homes.delete(key);
    return true;
  }

  /** A place is free: for who waits, or for the end of a worker that retires. */
  #settled(thread: RunThread): void {
    if (thread.retiring && thread.runs.size === 0) this.#end(thread);
    else if (this.#waiting.length > 0 && this.#dying === 0) this.#place(this.#waiting.shift()!);
  }

  /** Terminates the worker and makes sure that it died; what it still ran is released. */
  async #end(thread: RunThread): Promise<void> {
    if (thread.gone) return;
    this.#threads.delete(thread);
    this.#release(thread, thread.loaded ? "neighbour" : "unstarted");
    this.#dying++;
    const died = await thread.end();
    this.#dying--;
    const waiting = this.#waiting.splice(0);
    if (died) return waiting.forEach((run) => this.#place(run));
    if (waiting.length > 0) this.tell(["released", waiting.map(({ key }) => key), "unstarted"]);
    this.tell(["condemned", "stuck", "A thread does not end.", []]);
  }

  #stop(key: number, reason: string): void {
    const thread = this.#homes.get(key);
    const run = thread?.runs.get(key);
    if (!thread || !run) {
      const waiting = this.#waiting.findIndex((each) => each.key === key);
      if (waiting < 0) return;
      this.#waiting.splice(waiting, 1);
      return this.tell(["released", [key], "unstarted"]);
    }
    if (run.stopping) return;
    run.stopping = { reason, by: performance.now() + this.spec.grace, heard: false };
    thread.post(["stop", key, reason]);
    if (thread.loaded) return this.#wakeAt(run.stopping.by);
    // It has not begun, and will not.
    this.#forget(thread, key);
    this.tell(["released", [key], "unstarted"]);
  }

  #arm(run: Run): void {
    run.deadline = performance.now() + run.timeout;
    this.#wakeAt(run.deadline);
  }

  /** One timer for all deadlines, set to the next; a deadline whose run has ended costs one idle look. */
  #wakeAt(at: number): void {
    if (this.#alarm && this.#alarm.at <= at) return;
    clearTimeout(this.#alarm?.timer);
    const nap = Math.min(Math.max(at - performance.now(), 1), LONGEST_NAP);
    this.#alarm = { at, timer: setTimeout(() => this.#look(), nap) };
  }

  #look(): void {
    this.#alarm = undefined;
    const now = performance.now();
    let next = Infinity;
    for (const thread of [...this.#threads]) {
      for (const run of [...thread.runs.values()]) {
        if (run.stopping && run.stopping.by <= now) this.#force(thread, run);
        else if (!run.stopping && run.deadline <= now) this.#stop(run.key, "timeout");
        if (thread.runs.has(run.key)) next = Math.min(next, run.stopping?.by ?? run.deadline);
      }
    }
    if (next < Infinity) this.#wakeAt(next);
  }

  /**
   * The grace is over. Where the thread still listens, the handler ignores its signal: neighbours may finish before
   * the worker ends. Where it does not, it is stuck, and ends at once.
   */
  #force(thread: RunThread, run: Run): void {
    thread.retiring = true;
    this.#fail(thread, run.key, stopped(run));
    if (run.stopping!.heard) this.#settled(thread);
    else this.#end(thread);
  }
}

function stopped({ stopping, timeout }: Run): Failed {
  const code = stopping!.reason;
  return code === "timeout"
    ? { code, message: `The attempt took longer than ${timeout} ms.`, retryable: true }
    : { code, message: `Stopped: ${code}.`, retryable: false };
}
