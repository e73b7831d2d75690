/**
 * Outside the thread wall: a type's workers. It knows idle, run and close, and nothing of stores and statuses.
 * Every run is answered by exactly one `done`, `fail` or `released`, whatever its worker does.
 */
import {
  decode,
  encode,
  type Failed,
  FROM_WORKER,
  type Order,
  Outbox,
  type PoolSpec,
  ProtocolViolation,
  type Report,
} from "./messages.ts";
import { locks } from "./locks.ts";

/** A terminated worker whose lock is not free by then is still running, and only its process can be killed. */
const STUCK_AFTER = 250;
/** Unsolicited messages of one worker in one second; the harness keeps far below. */
const FLOOD = 20_000;

interface Run {
  readonly key: number;
  readonly order: Order;
  readonly timeout: number;
  /** `performance.now()` at which it is asked to stop; infinite until its worker is ready. */
  deadline: number;
  /** Why it was asked to stop, and when it is made to. */
  stopping: { reason: string; by: number; heard: boolean } | undefined;
}

interface PooledWorker {
  readonly thread: Worker;
  readonly outbox: Outbox<Order>;
  readonly runs: Map<number, Run>;
  loaded: boolean;
  /** Takes no more runs, and ends when it has none. */
  retiring: boolean;
  /** Resolves at its death. */
  dead: Promise<void> | undefined;
  gone: boolean;
  loadTimer: ReturnType<typeof setTimeout>;
  flood: { since: number; count: number };
}

export class Pool {
  readonly #workers = new Set<PooledWorker>();
  readonly #homes = new Map<number, PooledWorker>();
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
  }

  close(): void {
    clearTimeout(this.#alarm?.timer);
    for (const worker of this.#workers) {
      clearTimeout(worker.loadTimer);
      worker.gone = true;
      worker.thread.terminate();
    }
    this.#workers.clear();
    this.#homes.clear();
  }

  #place(run: Run): void {
    const worker = this.#pick();
    if (!worker) {
      this.#waiting.push(run);
      return;
    }
    worker.runs.set(run.key, run);
    this.#homes.set(run.key, worker);
    if (worker.loaded) this.#arm(run);
    worker.outbox.post(run.order);
  }

  /** The least busy worker with room; a new one while there may be more. */
  #pick(): PooledWorker | undefined {
    let best: PooledWorker | undefined;
    let active = 0;
    for (const worker of this.#workers) {
      if (worker.retiring) continue;
      active++;
      if (!best || worker.runs.size < best.runs.size) best = worker;
    }
    if ((!best || best.runs.size > 0) && active < this.spec.workers) return this.#spawn();
    return best && best.runs.size < this.spec.tasksPerWorker ? best : undefined;
  }

  #spawn(): PooledWorker {
    const thread = new Worker(new URL("./worker.ts", import.meta.url), {
      type: "module",
      name: this.spec.type,
    });
    const worker: PooledWorker = {
      thread,
      outbox: new Outbox<Order>((text) => thread.postMessage(text)),
      runs: new Map(),
      loaded: false,
      retiring: false,
      dead: undefined,
      gone: false,
      loadTimer: setTimeout(
        () => this.#unloadable(worker, "It did not load in time."),
        this.spec.loadTimeout,
      ),
      flood: { since: performance.now(), count: 0 },
    };
    const lock = crypto.randomUUID();
    const { type, module, resultMax, secrets } = this.spec;
    thread.postMessage(encode([["load", { type, module, resultMax, secrets }, lock]]));
    thread.onmessage = ({ data }) => {
      if (worker.gone) return;
      try {
        for (const report of decode<Report>(data, FROM_WORKER)) this.#hear(worker, report, lock);
      } catch (error) {
        if (!(error instanceof ProtocolViolation)) throw error;
        this.#violation(worker, error.message);
      }
    };
    thread.onmessageerror = () => this.#violation(worker, "An unreadable message.");
    thread.onerror = (event) => {
      // Else this process would end: only what the harness could not catch comes here, such as a syntax error.
      event.preventDefault();
      if (!worker.loaded) this.#unloadable(worker, event.message);
      else this.#died(worker, "unhandled_rejection", "The worker ended by an uncaught error.");
    };
    this.#workers.add(worker);
    return worker;
  }

  #hear(worker: PooledWorker, report: Report, lock: string): void {
    switch (report[0]) {
      case "locked":
        if (worker.dead) return this.#violation(worker, "Locked twice.");
        worker.dead = locks.request(lock, () => {}).then(() => {
          if (!worker.gone) this.#died(worker, "worker_exited", "The worker ended by itself.");
        });
        return;
      case "loaded":
        if (worker.loaded) return this.#violation(worker, "Loaded twice.");
        worker.loaded = true;
        clearTimeout(worker.loadTimer);
        for (const run of worker.runs.values()) this.#arm(run);
        return;
      case "unloadable":
        return this.#unloadable(worker, report[1], report[2]);
      case "done":
      case "fail":
        if (this.#forget(worker, report[1])) this.tell(report);
        else this.#count(worker);
        return this.#settled(worker);
      case "progress":
      case "log":
        this.#count(worker);
        if (worker.runs.has(report[1])) this.tell(report);
        return;
      case "stopping": {
        const run = worker.runs.get(report[1]);
        if (run?.stopping) run.stopping.heard = true;
        return;
      }
      case "uncaught":
        this.#uncaught(worker, report[1], report[2], report[3]);
    }
  }

  /** A floating rejection or a throwing timer: its run fails, its worker is replaced, neighbours may finish. */
  #uncaught(worker: PooledWorker, key: number, message: string, stack: string): void {
    const [only] = worker.runs.keys();
    const culprit = worker.runs.has(key) ? key : key < 0 && worker.runs.size === 1 ? only! : undefined;
    worker.retiring = true;
    if (culprit !== undefined) {
      this.#fail(worker, culprit, { code: "unhandled_rejection", message, retryable: true, stack });
    }
    this.#settled(worker);
  }

  #unloadable(worker: PooledWorker, message: string, stack?: string): void {
    for (const key of [...worker.runs.keys()]) {
      this.#fail(worker, key, { code: "handler_load_failed", message, retryable: false, stack });
    }
    this.#end(worker);
  }

  /** The worker is dead already: its only run caused it; of several nobody knows which, and each runs alone next. */
  #died(worker: PooledWorker, code: string, message: string): void {
    const keys = [...worker.runs.keys()];
    if (!worker.loaded) return this.#unloadable(worker, "The worker ended while it loaded the task file.");
    if (keys.length === 1) this.#fail(worker, keys[0]!, { code, message, retryable: true, crash: true });
    else this.#release(worker, keys, true);
    this.#end(worker);
  }

  #violation(worker: PooledWorker, why: string): void {
    const keys = [...worker.runs.keys()];
    if (keys.length === 1) {
      this.#fail(worker, keys[0]!, {
        code: "protocol_violation",
        message: why,
        retryable: false,
        crash: true,
      });
    } else this.#release(worker, keys, true);
    this.#end(worker);
    this.tell(["condemned", "protocol_violation", why, []]);
  }

  #count(worker: PooledWorker): void {
    const now = performance.now();
    if (now - worker.flood.since > 1_000) worker.flood = { since: now, count: 0 };
    if (++worker.flood.count > FLOOD) throw new ProtocolViolation("Too many messages.");
  }

  #fail(worker: PooledWorker, key: number, failed: Failed): void {
    if (this.#forget(worker, key)) this.tell(["fail", key, failed]);
  }

  #release(worker: PooledWorker, keys: number[], alone: boolean): void {
    for (const key of keys) this.#forget(worker, key);
    if (keys.length > 0) this.tell(["released", keys, alone]);
  }

  #forget(worker: PooledWorker, key: number): boolean {
    this.#homes.delete(key);
    return worker.runs.delete(key);
  }

  /** A place is free: for who waits, or for the end of a worker that retires. */
  #settled(worker: PooledWorker): void {
    if (worker.retiring && worker.runs.size === 0) this.#end(worker);
    else if (this.#waiting.length > 0) this.#place(this.#waiting.shift()!);
  }

  /** Terminates the worker and makes sure that it died; what it still ran is released. */
  #end(worker: PooledWorker): void {
    if (worker.gone) return;
    worker.gone = true;
    this.#workers.delete(worker);
    clearTimeout(worker.loadTimer);
    this.#release(worker, [...worker.runs.keys()], false);
    worker.thread.terminate();
    const timer = setTimeout(
      () => this.tell(["condemned", "stuck", "A thread does not end.", []]),
      STUCK_AFTER,
    );
    // One that never took its lock says nothing by it: it is given the time, and then distrusted.
    worker.dead?.then(() => clearTimeout(timer));
    for (const run of this.#waiting.splice(0)) this.#place(run);
  }

  #stop(key: number, reason: string): void {
    const worker = this.#homes.get(key);
    const run = worker?.runs.get(key);
    if (!worker) {
      const waiting = this.#waiting.findIndex((each) => each.key === key);
      if (waiting < 0) return;
      this.#waiting.splice(waiting, 1);
      this.tell(["fail", key, { code: reason, message: `Stopped: ${reason}.`, retryable: false }]);
      return;
    }
    if (!run || run.stopping) return;
    run.stopping = { reason, by: performance.now() + this.spec.grace, heard: false };
    worker.outbox.post(["stop", key, reason]);
    this.#wakeAt(run.stopping.by);
  }

  #arm(run: Run): void {
    run.deadline = performance.now() + run.timeout;
    this.#wakeAt(run.deadline);
  }

  /** One timer for all deadlines, set to the next; a deadline whose run has ended costs one idle look. */
  #wakeAt(at: number): void {
    if (this.#alarm && this.#alarm.at <= at) return;
    clearTimeout(this.#alarm?.timer);
    const nap = Math.min(Math.max(at - performance.now(), 1), 60_000);
    this.#alarm = { at, timer: setTimeout(() => this.#look(), nap) };
  }

  #look(): void {
    this.#alarm = undefined;
    const now = performance.now();
    let next = Infinity;
    for (const worker of [...this.#workers]) {
      for (const run of [...worker.runs.values()]) {
        if (run.stopping && run.stopping.by <= now) this.#force(worker, run);
        else if (!run.stopping && run.deadline <= now) this.#stop(run.key, "timeout");
        next = Math.min(next, run.stopping?.by ?? run.deadline);
      }
    }
    if (next < Infinity) this.#wakeAt(next);
  }

  /**
   * The grace is over. Where the thread still listens, the handler ignores its signal: neighbours may finish before
   * the worker ends. Where it does not, it is stuck, and ends at once.
   */
  #force(worker: PooledWorker, run: Run): void {
    const { reason, heard } = run.stopping!;
    this.#fail(worker, run.key, {
      code: reason,
      message: reason === "timeout"
        ? `The attempt took longer than ${run.timeout} ms.`
        : `Stopped: ${reason}.`,
      retryable: reason === "timeout",
    });
    worker.retiring = true;
    if (!heard || worker.runs.size === 0) this.#end(worker);
    else this.#settled(worker);
  }
}
