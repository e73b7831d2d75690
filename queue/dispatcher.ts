import type { Ear, Outcome, Runners, StopReason } from "./outcome.ts";
import { afterFailure, type RetryPolicy } from "./retry.ts";
import type { Claim, Report, Settlement, Store } from "./store.ts";
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
  /** One line for the operator. */
  readonly log?: (
    level: "debug" | "info" | "warn" | "error",
    message: string,
    facts?: Record<string, unknown>,
  ) => void;
}

/** Longest wait for a timer: `setTimeout` beyond 2^31 ms fires at once, and clocks may jump. */
const LONGEST_NAP = 60_000;
const SWEEP_EVERY = 1_000;
const SWEEP_AT_ONCE = 2_000;
const STORE_RETRY = 250;

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
  readonly #log: NonNullable<DispatcherOptions["log"]>;
  /** The claims that are ours, by token; and the token of each running task, for cancels. */
  readonly #held = new Map<string, Claim>();
  readonly #tokens = new Map<string, string>();
  readonly #unsubscribe: () => void;
  #outcomes: Outcome[] = [];
  #claiming = true;
  #scheduled = false;
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
    this.#unsubscribe = this.#store.subscribe((changed) => this.#heard(changed));
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
    every(SWEEP_EVERY, () => this.#store.sweep(SWEEP_AT_ONCE));
    this.wake();
  }

  /** Something may be claimable: looks once, in the next turn of the event loop. */
  wake(): void {
    if (this.#scheduled || !this.#claiming) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.tick().catch((error) => this.#storeFailed(error));
    });
  }

  /** Claims what the runners have room for and starts it. Answers how many tasks. */
  async tick(): Promise<number> {
    // Room is counted before the claim and used after it: two ticks at once would use it twice.
    if (this.#ticking) await this.#ticking.catch(() => {});
    this.#ticking = this.#claim();
    try {
      return await this.#ticking;
    } finally {
      this.#ticking = undefined;
    }
  }

  async #claim(): Promise<number> {
    if (!this.#claiming) return 0;
    const wants = this.#runners.wants();
    const claims = wants.length === 0
      ? []
      : await this.#store.claim(wants, this.#now() + this.#options.lease);
    for (const claim of claims) {
      this.#held.set(claim.token, claim);
      this.#tokens.set(tokenKey(claim.task), claim.token);
    }
    if (claims.length > 0) this.#runners.start(claims);
    const due = await this.#store.nextDue();
    if (due !== undefined) this.#wakeAt(due);
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

  room(): void {
    this.wake();
  }

  /** Settles what has come, in one list, and again what came meanwhile; never `succeeded` without the write. */
  async #settleAll(): Promise<void> {
    if (this.#settling) return;
    this.#settling = true;
    while (this.#outcomes.length > 0) {
      const list = this.#outcomes;
      this.#outcomes = [];
      const settlements = list.map((outcome) => this.#settlement(outcome));
      try {
        const settled = await this.#store.settle(settlements);
        for (let i = 0; i < settled.length; i++) this.#let(list[i]!, settled[i]);
      } catch (error) {
        this.#storeFailed(error);
        this.#outcomes = [...list.filter(({ token }) => this.#held.has(token)), ...this.#outcomes];
        await new Promise((resolve) => setTimeout(resolve, STORE_RETRY));
      }
    }
    this.#settling = false;
    this.wake();
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
    const claim = this.#held.get(outcome.token);
    if (!claim) return;
    this.#held.delete(outcome.token);
    this.#tokens.delete(tokenKey(claim.task));
    if (outcome.as === "failed" && outcome.failure.code !== "cancelled") {
      const { code, message, stack } = outcome.failure;
      const { id, type, attempt } = claim.task;
      this.#log("info", "An attempt failed.", {
        id,
        type,
        attempt,
        code,
        message,
        stack,
        status: task?.status,
      });
    }
  }

  #heard(changed: readonly Task[]): void {
    let wake = false;
    for (const task of changed) {
      if (task.status === "queued") wake = true;
      else if (task.status === "scheduled") this.#wakeAt(task.runAt!);
      else if (task.status === "running") {
        if (task.cancelRequestedAt === undefined) continue;
        const token = this.#tokens.get(tokenKey(task));
        if (token) this.#runners.stop(token, "cancelled");
      } else if (isFinal(task.status)) this.#finished++;
    }
    if (wake) this.wake();
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

  async #renew(): Promise<void> {
    const lost = await this.#store.renew([...this.#held.keys()], this.#now() + this.#options.lease);
    for (const token of lost) {
      const claim = this.#held.get(token);
      if (!claim) continue;
      this.#held.delete(token);
      this.#tokens.delete(tokenKey(claim.task));
      this.#runners.abandon(token);
    }
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
    await this.#ticking?.catch(() => {});
    await this.#untilIdle(timeout);
  }

  /**
   * Drains for `drain` ms, then asks what still runs to stop, waits `grace` ms, and gives back the rest without
   * spending an attempt.
   */
  async stop(drain: number, grace: number): Promise<void> {
    await this.drain(drain);
    this.#stopAll("shutdown_aborted");
    await this.#untilIdle(grace);
    this.outcomes([...this.#held.keys()].map((token) => ({ token, as: "released", alone: false })));
    await this.#untilIdle(grace);
    for (const timer of this.#timers) clearInterval(timer);
    this.#unsubscribe();
    await this.#runners.close();
  }

  #stopAll(reason: StopReason): void {
    for (const token of this.#held.keys()) this.#runners.stop(token, reason);
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

/** Ids are unique for one owner. */
function tokenKey(task: Task): string {
  return `${task.owner}/${task.id}`;
}
