import type { Change } from "./events.ts";
import { Held } from "./held.ts";
import type { Log } from "./log.ts";
import type { Ear, Outcome, Runners } from "./outcome.ts";
import { afterFailure, type RetryPolicy } from "./retry.ts";
import type { Checkpoint, Report, Settlement, Store } from "./store.ts";
import { isFinal, type Task } from "./task.ts";

export interface DispatcherOptions {
  readonly store: Store;
  readonly runners: Runners;
  readonly retry: RetryPolicy;
  /** Milliseconds a claim holds; it is renewed three times within. */
  readonly lease: number;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  /** In [0, 1). */
  readonly random?: () => number;
  readonly log?: Log;
}

/** Longest wait for a timer: `setTimeout` beyond 2^31 ms fires at once, and clocks may jump. */
const LONGEST_NAP = 60_000;
const SWEEP_EVERY = 1_000;
const SWEEP_AT_ONCE = 2_000;
const STORE_RETRY = 250;
/** Milliseconds; the timer makes two of it. */
const GATHER = 1;
/** At shutdown a store that fails is given this long; the next start finds the claims lapsed. */
const LAST_SETTLE = 2_000;

/**
 * The only thing that moves tasks along: claim, run, settle. Everything goes in lists, one per turn of the event
 * loop. `tick()` is public, so that tests drive it without waiting.
 */
export class Dispatcher implements Ear {
  readonly #store: Store;
  readonly #runners: Runners;
  readonly #options: DispatcherOptions;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #log: Log;
  /** The claims that are ours. */
  readonly #held = new Held();
  /** Cancels that were heard of before the claim that they are for had come back. */
  readonly #cancels: Task[] = [];
  readonly #unsubscribe: () => void;
  #outcomes: Outcome[] = [];
  #claiming = true;
  #scheduled = false;
  #looked = 0;
  #gathering: ReturnType<typeof setTimeout> | undefined;
  #ticking: Promise<number> | undefined;
  #settling = false;
  #finished = 0;
  #alarm: { at: number; timer: ReturnType<typeof setTimeout> } | undefined;
  #timers: ReturnType<typeof setInterval>[] = [];
  #idle: (() => void)[] = [];

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#store = options.store;
    this.#runners = options.runners;
    this.#now = options.now ?? Date.now;
    this.#random = options.random ?? Math.random;
    this.#log = options.log ?? (() => {});
    this.#runners.connect(this);
    this.#unsubscribe = this.#store.subscribe((changes) => this.#heard(changes));
  }

  /** Tasks that reached a final status since start, by whichever way. */
  get finished(): number {
    return this.#finished;
  }

  /** Tasks that are being carried out. */
  get running(): number {
    return this.#held.size;
  }

  /** Begins to work on its own. */
  start(): void {
    const every = (ms: number, work: () => Promise<unknown>) => {
      const timer = setInterval(() => work().catch((error) => this.#storeFailed(error)), ms);
      Deno.unrefTimer(timer);
      this.#timers.push(timer);
    };
    every(this.#options.lease / 3, () => this.#renew());
    every(SWEEP_EVERY, () => this.#sweep());
    this.wake();
  }

  /** Something may be claimable: looks once, in the next turn of the event loop. */
  wake(): void {
    if (this.#scheduled || !this.#claiming) return;
    this.#scheduled = true;
    setImmediate(async () => {
      // What is waiting to be looked for now need not be looked for twice.
      await this.#ticking?.catch(() => {});
      this.#scheduled = false;
      this.tick().catch((error) => this.#storeFailed(error));
    });
  }

  /**
   * Something was enqueued. Under load most turns of the event loop bring a task or two; a look for each would cost
   * more than the tasks: those that come within a millisecond of the last look are taken together.
   */
  #wakeSoon(): void {
    if (this.#scheduled || !this.#claiming) return;
    if (performance.now() - this.#looked > GATHER) return this.wake();
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined;
      this.wake();
    }, GATHER);
  }

  /** Claims what the runners have room for and starts it. Answers how many tasks. */
  async tick(): Promise<number> {
    // Room is counted before the claim and used after it: two ticks at once would use it twice.
    while (this.#ticking) await this.#ticking.catch(() => {});
    this.#ticking = this.#claim();
    try {
      return await this.#ticking;
    } finally {
      this.#ticking = undefined;
      this.#cancels.length = 0;
    }
  }

  async #claim(): Promise<number> {
    this.#looked = performance.now();
    // One after the other, as both take from the same room; the few that run alone first, so that they do not starve.
    const started = await this.#startAll(true) + await this.#startAll(false);
    const due = await this.#store.nextDue();
    if (due !== undefined) this.#wakeAt(due);
    return started;
  }

  async #startAll(alone: boolean): Promise<number> {
    const wants = this.#claiming ? this.#runners.wants(alone) : [];
    if (wants.length === 0) return 0;
    const claims = await this.#store.claim(wants, this.#now() + this.#options.lease);
    if (claims.length === 0) return 0;
    for (const claim of claims) this.#held.add(claim);
    this.#runners.start(claims);
    for (const task of this.#cancels) this.#cancel(task);
    return claims.length;
  }

  outcomes(list: readonly Outcome[]): void {
    for (const outcome of list) {
      if (this.#held.has(outcome.token)) this.#outcomes.push(outcome);
    }
    this.#settleAll();
  }

  reports(list: readonly Report[]): void {
    this.#store.report(list).catch((error) => this.#storeFailed(error));
  }

  async checkpoints(list: readonly Checkpoint[]): Promise<boolean[]> {
    try {
      return await this.#store.checkpoint(list);
    } catch (error) {
      this.#storeFailed(error);
      return list.map(() => false);
    }
  }

  room(): void {
    this.wake();
  }

  /** Settles what has come, in one list, and again what came meanwhile; never `succeeded` without the write. */
  async #settleAll(): Promise<void> {
    if (this.#settling) return;
    this.#settling = true;
    while (this.#outcomes.length > 0) {
      const list = this.#outcomes.filter(({ token }) => this.#held.has(token));
      this.#outcomes = [];
      const settlements = list.map((outcome) => this.#settlement(outcome));
      try {
        const settled = await this.#store.settle(settlements);
        for (let i = 0; i < settled.length; i++) this.#let(list[i]!, settled[i]);
      } catch (error) {
        this.#storeFailed(error);
        this.#outcomes = [...list, ...this.#outcomes];
        await new Promise((resolve) => setTimeout(resolve, STORE_RETRY));
      }
    }
    this.#settling = false;
    this.wake();
    this.#restIfIdle();
  }

  #restIfIdle(): void {
    if (this.#held.size === 0) this.#idle.splice(0).forEach((resolve) => resolve());
  }

  #settlement(outcome: Outcome): Settlement {
    const { token } = outcome;
    if (outcome.as === "succeeded") return { token, to: "succeeded", result: outcome.result };
    if (outcome.as === "released") return { token, to: "queued", alone: outcome.alone };
    const { task } = this.#held.get(token)!;
    return {
      token,
      ...afterFailure(task, outcome.failure, this.#options.retry, this.#now(), this.#random()),
    };
  }

  /** Lets go of a claim that is settled, or was no longer ours. */
  #let(outcome: Outcome, task: Task | undefined): void {
    const claim = this.#held.take(outcome.token);
    if (!claim) return;
    if (outcome.as === "failed" && outcome.failure.code !== "cancelled") {
      const { code, message, stack } = outcome.failure;
      const { id, type, attempt } = claim.task;
      const facts = { id, type, attempt, code, message, stack, status: task?.status };
      this.#log("info", "An attempt failed.", facts);
    }
  }

  #heard(changes: readonly Change[]): void {
    let wake = false;
    for (const { task, kind } of changes) {
      if (kind !== "state") continue;
      if (task.status === "queued") wake = true;
      else if (task.status === "scheduled") this.#wakeAt(task.runAt!);
      else if (task.status === "running") {
        if (task.cancelRequestedAt === undefined) continue;
        if (!this.#cancel(task) && this.#ticking) this.#cancels.push(task);
      } else if (isFinal(task.status)) this.#finished++;
    }
    if (wake) this.#wakeSoon();
  }

  #cancel(task: Task): boolean {
    const token = this.#held.tokenOf(task);
    if (token !== undefined) this.#runners.stop(token, "cancelled");
    return token !== undefined;
  }

  #wakeAt(at: number): void {
    if (!this.#claiming || (this.#alarm && this.#alarm.at <= at)) return;
    clearTimeout(this.#alarm?.timer);
    const nap = Math.min(Math.max(at - this.#now(), 1), LONGEST_NAP);
    const timer = setTimeout(() => {
      this.#alarm = undefined;
      this.wake();
    }, nap);
    Deno.unrefTimer(timer);
    this.#alarm = { at, timer };
  }

  /** In small steps, with a turn of the event loop between them: as many may expire a second as were accepted. */
  async #sweep(): Promise<void> {
    while (await this.#store.sweep(SWEEP_AT_ONCE) === SWEEP_AT_ONCE) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  async #renew(): Promise<void> {
    const lost = await this.#store.renew(this.#held.tokens, this.#now() + this.#options.lease);
    for (const token of lost) {
      if (this.#held.take(token)) this.#runners.abandon(token);
    }
    this.#restIfIdle();
    // After the renewal: our own claims cannot lapse through a pause of this process.
    if (await this.#store.recover() > 0) this.wake();
  }

  #storeFailed(error: unknown): void {
    this.#log("error", "The store failed; it is tried again.", { error: String(error) });
    this.#wakeAt(this.#now() + STORE_RETRY);
  }

  /** Claims nothing more, and resolves when nothing is running, or after `timeout` ms. */
  async drain(timeout: number): Promise<void> {
    this.#claiming = false;
    clearTimeout(this.#alarm?.timer);
    clearTimeout(this.#gathering);
    await this.#ticking?.catch(() => {});
    await this.#untilIdle(timeout);
  }

  /**
   * Drains for `drain` ms, then asks what still runs to stop, waits `grace` ms, and ends the runners, which give back
   * the rest without spending an attempt.
   */
  async stop(drain: number, grace: number): Promise<void> {
    await this.drain(drain);
    for (const token of this.#held.tokens) this.#runners.stop(token, "shutdown_aborted");
    await this.#untilIdle(grace);
    await this.#runners.close();
    await this.#untilIdle(LAST_SETTLE);
    for (const timer of this.#timers) clearInterval(timer);
    this.#unsubscribe();
  }

  async #untilIdle(timeout: number): Promise<void> {
    if (this.#held.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    const timer = setTimeout(resolve, timeout);
    await promise;
    clearTimeout(timer);
  }
}
