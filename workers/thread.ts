import { locks } from "./locks.ts";
import {
  decode,
  encode,
  FROM_WORKER,
  type Order,
  Outbox,
  type PoolSpec,
  ProtocolViolation,
  type Report,
} from "./messages.ts";

/** A terminated worker whose lock is not free by then is still running, and only its process can be killed. */
const STUCK_AFTER = 250;
/** Unsolicited messages of one worker in one second; the harness keeps far below. */
const FLOOD = 20_000;

/** Nothing of it is called after `end()`. */
export interface ThreadEar {
  loaded(): void;
  unloadable(message: string, stack?: string): void;
  heard(report: Report): void;
  /** It has ended, by itself or by an error that the harness could not catch. */
  died(code: "worker_exited" | "unhandled_rejection", message: string): void;
  violated(why: string): void;
}

/** One worker as its pool sees it: what it says is checked, and its death is noticed whichever way it dies. */
export class Thread<Run> {
  /** By key. */
  readonly runs = new Map<number, Run>();
  loaded = false;
  /** Takes no more runs, and ends when it has none. */
  retiring = false;
  gone = false;
  readonly #worker: Worker;
  readonly #outbox: Outbox<Order>;
  readonly #ear: ThreadEar;
  readonly #lock = crypto.randomUUID();
  readonly #loadTimer: ReturnType<typeof setTimeout>;
  /** Resolves at its death. */
  #dead: Promise<boolean> | undefined;
  #flood = { since: performance.now(), count: 0 };

  constructor(spec: PoolSpec, ear: ThreadEar) {
    const { type, module, resultMax, secrets, files, loadTimeout } = spec;
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: type });
    this.#worker = worker;
    this.#ear = ear;
    this.#outbox = new Outbox((text) => worker.postMessage(text));
    this.#loadTimer = setTimeout(() => ear.unloadable("It did not load in time."), loadTimeout);
    worker.onmessage = ({ data }) => this.#listen(data);
    worker.onmessageerror = () => this.gone || ear.violated("An unreadable message.");
    worker.onerror = (event) => {
      // Else this process would end: only what the harness could not catch comes here, such as a syntax error.
      event.preventDefault();
      if (this.gone) return;
      if (!this.loaded) ear.unloadable(event.message);
      else ear.died("unhandled_rejection", "The worker ended by an uncaught error.");
    };
    worker.postMessage(encode([["load", { type, module, resultMax, secrets, files }, this.#lock]]));
  }

  post(order: Order): void {
    this.#outbox.post(order);
  }

  /** Counts a message that nobody asked for. */
  count(): void {
    const now = performance.now();
    if (now - this.#flood.since > 1_000) this.#flood = { since: now, count: 0 };
    if (++this.#flood.count > FLOOD) throw new ProtocolViolation("Too many messages.");
  }

  /** Terminates it. Resolves to whether it died; otherwise it keeps its core for as long as this process lives. */
  async end(): Promise<boolean> {
    this.gone = true;
    clearTimeout(this.#loadTimer);
    this.#worker.terminate();
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), STUCK_AFTER);
    // One that never took its lock says nothing by it: it is given the time, and then distrusted.
    const died = await Promise.race([late, this.#dead ?? late]);
    clearTimeout(timer);
    return died;
  }

  #listen(data: unknown): void {
    if (this.gone) return;
    try {
      for (const report of decode<Report>(data, FROM_WORKER)) {
        if (!this.gone) this.#hear(report);
      }
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      this.#ear.violated(error.message);
    }
  }

  #hear(report: Report): void {
    switch (report[0]) {
      case "locked":
        if (this.#dead) throw new ProtocolViolation("Locked twice.");
        this.#dead = locks.request(this.#lock, () => true);
        this.#dead.then(() => {
          if (!this.gone) this.#ear.died("worker_exited", "The worker ended by itself.");
        });
        return;
      case "loaded":
        if (this.loaded) throw new ProtocolViolation("Loaded twice.");
        this.loaded = true;
        clearTimeout(this.#loadTimer);
        return this.#ear.loaded();
      case "unloadable":
        if (this.loaded) throw new ProtocolViolation("Loaded, and then not.");
        return this.#ear.unloadable(report[1], report[2]);
      default:
        this.#ear.heard(report);
    }
  }
}
