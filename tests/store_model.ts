/**
 * A model of a store: all tasks in one array, looked through from start to end for everything. Random sequences of
 * verbs must leave a store and its model with the same tasks.
 */
import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { UniqueConflict, WrongStatus } from "../queue/errors.ts";
import { lapsed, settled, stopped } from "../queue/settled.ts";
import type { Claim, Settlement, Store, Together, Token } from "../queue/store.ts";
import * as transition from "../queue/task.ts";
import type { NewTask, Status, Task } from "../queue/task.ts";
import { type Command, command, type Wish } from "./store_commands.ts";
import { Clock, draft, failure, LEASE, type Open } from "./store_fixtures.ts";
import { followUp, type Plan, type Row, Ties } from "./store_model_ties.ts";

const RETENTION = { retentionSucceeded: 40_000, retentionFailed: 90_000 };
const BOBS_CONCURRENCY = 2;
const KEPT = 20_000;

/** Registers the test. fast-check prints the seed and the shortest sequence that fails. */
export function storeModel(name: string, open: Open, numRuns: number): void {
  Deno.test(`${name}: behaves like the model, whatever the sequence of verbs`, async () => {
    const property = fc.asyncProperty(
      fc.array(command, { maxLength: 150, size: "max" }),
      async (commands) => {
        const clock = new Clock();
        const concurrencyOf = (owner: string) => owner === "bob" ? BOBS_CONCURRENCY : undefined;
        const store = await open({ now: clock.now, ...RETENTION, concurrencyOf, followUp });
        const run = new Run(store, clock);
        try {
          for (const next of commands) await run.step(next);
        } finally {
          await store.close();
        }
      },
    );
    await fc.assert(property, { numRuns });
  });
}

/** One sequence, carried out on a store and on the model. */
class Run {
  #rows: Row[] = [];
  #ties = new Ties(this.#rows);
  #batches = 0;
  #expired = new Set<string>();
  #orders = 0;
  /** Since when an owner waits for its turn, by its tasks' `kind`. */
  #turns = new Map<string, number>();
  /** All claims ever given, so that old tokens are tried too. */
  #claims: Claim[] = [];

  constructor(readonly store: Store, readonly clock: Clock) {}

  async step(next: Command): Promise<void> {
    await this.#carryOut(next);
    await this.#compare();
  }

  async #carryOut(next: Command): Promise<void> {
    switch (next.do) {
      case "enqueue":
        return await this.#enqueue(next);
      case "claim":
        return await this.#claim(next);
      case "settle":
        return await this.#settle(next);
      case "progress": {
        const token = this.#token(next.claim);
        const row = this.#running(token);
        const progress = { current: next.current };
        if (row !== undefined) row.task = transition.progressed(row.task, progress);
        return await this.store.report([{ token, progress }]);
      }
      case "renew": {
        const token = this.#token(next.claim);
        const row = this.#running(token);
        const until = this.clock.time + LEASE;
        if (row !== undefined) row.until = until;
        deepEqual(await this.store.renew([token], until), row === undefined ? [token] : []);
        return;
      }
      case "cancel":
      case "retry":
      case "remove":
        return await this.#byHand(next.do, next.owner, `${next.id}`);
      case "advance":
        this.clock.time += next.by;
        return;
      case "sweep":
        return await this.#sweep(next.limit);
      case "recover": {
        const rows = this.#rows.filter((row) => row.task.status === "running" && row.until < this.clock.time);
        equal(await this.store.recover(), rows.length);
        // In the order in which they were claimed.
        rows.sort((a, b) => a.claimed - b.claimed);
        for (const row of rows) this.#become(row, lapsed(row.task, this.clock.time, RETENTION));
        return;
      }
    }
  }

  async #enqueue(next: Command & { do: "enqueue" }): Promise<void> {
    const { owner } = next;
    const drafts = next.wishes.map((wish) => this.#draft(owner, wish));
    const together = this.#together(next);
    const { idempotency } = together;
    if (idempotency) {
      const known = this.#ties.repeated(owner, idempotency, this.clock.time);
      deepEqual(await outcome(this.store.replay(owner, idempotency)), known);
      if (known !== undefined) {
        return deepEqual(await outcome(this.store.enqueue(drafts, together)), known);
      }
    }
    const plan = this.#ties.plan(drafts, together, this.clock.time);
    const answer = await outcome(this.store.enqueue(drafts, together));
    if (typeof plan === "function") return equal(answer, plan);
    const { answers, fresh } = plan as Plan;
    deepEqual(answer, answers);
    this.#ties.commit(plan as Plan, owner, together, this.clock.time);
    // Before what follows the end of those that they replace.
    this.#rows.push(...fresh.map(({ row }) => row));
    for (const { row, replaces } of fresh) {
      if (replaces !== undefined) this.#stop(replaces);
      if (row.task.status === "queued") this.#line(row);
    }
  }

  #draft(owner: string, { unique, webhook, delay, id, ...wish }: Wish): NewTask {
    const { key, keep, onConflict } = unique ?? {};
    const extras = {
      ...(key && onConflict && { uniqueKey: { key, onConflict, ...(keep && { keep }) } }),
      ...(webhook && { webhook: { url: "https://example.com" } }),
    };
    return draft({
      ...wish,
      owner,
      id: `${id}`,
      runAt: delay === undefined ? undefined : this.clock.time + delay,
      extras: Object.keys(extras).length > 0 ? extras : undefined,
    });
  }

  #together({ owner, batch, repeat }: Command & { do: "enqueue" }): Together {
    const id = `batch-${++this.#batches}`;
    const then = batch?.then ? draft({ id: `then-${this.#batches}`, owner }) : undefined;
    return {
      ...(batch && { batch: { id, then } }),
      ...(repeat && { idempotency: { ...repeat, until: this.clock.time + KEPT } }),
    };
  }

  /** Cancelled, unless it has finished. */
  #stop(row: Row): void {
    const { time } = this.clock;
    if (row.task.status === "running") row.task = transition.cancelRequested(row.task, time);
    else if (!transition.isFinal(row.task.status)) this.#become(row, stopped(row.task, time, RETENTION));
  }

  async #claim({ wants }: Command & { do: "claim" }): Promise<void> {
    const due = this.#rows.filter(({ task }) =>
      task.status === "scheduled" && task.runAt! <= this.clock.time
    );
    due.sort((a, b) => a.task.runAt! - b.task.runAt!);
    for (const row of due) this.#become(row, transition.due(row.task));
    const until = this.clock.time + LEASE;
    const claims = await this.store.claim(wants, until);
    const rows: Row[] = [];
    const open = wants.map((want) => ({ ...want }));
    for (let row = this.#next(open); row !== undefined; row = this.#next(open)) {
      this.#become(row, transition.claimed(row.task, this.clock.time));
      rows.push(row);
    }
    deepEqual(claims.map(({ task }) => task), rows.map(({ task }) => task));
    rows.forEach((row, at) =>
      Object.assign(row, { token: claims[at]!.token, until, claimed: this.#claims.push(claims[at]!) })
    );
  }

  /** The one whose turn it is; it is taken off what is wanted. */
  #next(open: { type: string; alone: boolean; limit: number }[]): Row | undefined {
    const running = this.#rows.filter(({ task }) => task.status === "running");
    const bobIsFull = running.filter(({ task }) => task.owner === "bob").length >= BOBS_CONCURRENCY;
    const wantOf = ({ task }: Row) =>
      open.find(({ type, alone, limit }) => task.type === type && task.alone === alone && limit > 0);
    const besides = (row: Row) => running.filter((other) => kind(other) === kind(row)).length;
    const [first] = this.#rows
      .filter((row) =>
        row.task.status === "queued" && wantOf(row) && !(bobIsFull && row.task.owner === "bob")
      )
      .sort((a, b) =>
        besides(a) - besides(b) || this.#turns.get(kind(a))! - this.#turns.get(kind(b))! ||
        b.task.priority - a.task.priority || a.order - b.order
      );
    if (first) wantOf(first)!.limit--;
    return first;
  }

  async #settle(next: Command & { do: "settle" }): Promise<void> {
    const token = this.#token(next.claim);
    const row = this.#running(token);
    const error = failure(this.clock.time, row?.task.attempt);
    const how: Settlement = {
      succeeded: { token, to: "succeeded", result: "1" } as const,
      failed: { token, to: "failed", error, crashes: 1 } as const,
      scheduled: {
        token,
        to: "scheduled",
        error,
        crashes: 0,
        alone: next.alone,
        runAt: this.clock.time + 3_000,
      } as const,
      queued: { token, to: "queued", alone: next.alone } as const,
      cancelled: { token, to: "cancelled" } as const,
    }[next.to];
    const [answer] = await this.store.settle([how]);
    if (row !== undefined) this.#become(row, settled(row.task, how, this.clock.time, RETENTION));
    deepEqual(answer, row?.task);
  }

  async #byHand(verb: "cancel" | "retry" | "remove", owner: string, id: string): Promise<void> {
    const row = this.#find(owner, id);
    const answer = await outcome(this.store[verb](owner, id));
    if (row === undefined) return equal(answer, verb === "remove" ? false : undefined);
    const { task } = row;
    const legal: readonly Status[] = {
      cancel: ["scheduled", "queued", "running", "cancelled"] as const,
      retry: ["failed", "cancelled"] as const,
      remove: ["succeeded", "failed", "cancelled"] as const,
    }[verb];
    if (!legal.includes(task.status)) return equal(answer, WrongStatus);
    if (verb === "retry" && this.#ties.rival(row, this.clock.time)) return equal(answer, UniqueConflict);
    if (verb === "remove") {
      this.#ties.forget(row);
      this.#expired.delete(`${owner} ${id}`);
      return equal(answer, true);
    }
    if (verb === "retry") {
      this.#ties.take(row);
      this.#become(row, transition.retried(task));
    } else this.#stop(row);
    deepEqual(answer, row.task);
  }

  async #sweep(limit: number): Promise<void> {
    const expired = this.#rows.filter(({ task }) =>
      task.expiresAt !== undefined && task.expiresAt <= this.clock.time
    );
    expired.sort((a, b) => a.task.expiresAt! - b.task.expiresAt!);
    const swept = await this.store.sweep(limit);
    equal(swept, Math.min(limit, expired.length));
    // Which of those that expire at the same time go first is the store's affair.
    for (const row of expired) {
      const { owner, id, expiresAt } = row.task;
      if (await this.store.get(owner, id) !== undefined) continue;
      equal(expiresAt! <= expired[swept - 1]!.task.expiresAt!, true);
      this.#ties.forget(row);
      this.#expired.add(`${owner} ${id}`);
    }
  }

  async #compare(): Promise<void> {
    for (const owner of ["ann", "bob"]) {
      const mine = this.#rows.map(({ task }) => task).filter((task) => task.owner === owner).reverse();
      deepEqual((await this.store.list(owner, { limit: 100 })).tasks, mine);
      const counts = await this.store.counts(owner);
      for (const task of mine) {
        const same = mine.filter((other) => other.type === task.type && other.status === task.status);
        equal(counts[task.type]?.[task.status], same.length);
      }
      for (let id = 0; id < 10; id++) {
        const known = this.#find(owner, `${id}`);
        deepEqual(await this.store.get(owner, `${id}`), known?.task);
        const gone = known === undefined && this.#expired.has(`${owner} ${id}`);
        equal(await this.store.hasExpired(owner, `${id}`), gone);
      }
    }
    for (const { owner, id, batch } of this.#ties.batches()) {
      deepEqual(await this.store.batch(owner, id), batch);
      const members = this.#rows.map(({ task }) => task).filter(({ extras }) => extras?.batch === id);
      deepEqual((await this.store.list(owner, { limit: 100, batch: id })).tasks, members.reverse());
    }
    const waiting = this.#rows.filter(({ task }) => task.status === "scheduled").map(({ task }) =>
      task.runAt!
    );
    equal(await this.store.nextDue(), waiting.length ? Math.min(...waiting) : undefined);
  }

  #become(row: Row, task: Task): void {
    const { status } = row.task;
    if (status === "running") this.#turns.set(kind(row), ++this.#orders);
    row.task = task;
    if (status !== "running" && task.status === "queued") row.order = 0;
    if (task.status === "queued") this.#line(row);
    if (task.status !== "running") row.token = undefined;
    for (const wish of this.#ties.follow(row, this.clock.time)) {
      if (this.#find(wish.owner, wish.id) !== undefined) continue;
      const row = { task: transition.created(wish, this.clock.time), order: 0, claimed: 0, until: 0 };
      this.#rows.push(row);
      this.#line(row);
    }
  }

  /** It is queued, in its old place where it has one. */
  #line(row: Row): void {
    const isFirst = !this.#rows.some((other) =>
      other !== row && other.task.status === "queued" && other.order > 0 && kind(other) === kind(row)
    );
    if (isFirst) this.#turns.set(kind(row), ++this.#orders);
    if (row.order === 0) row.order = ++this.#orders;
  }

  #find(owner: string, id: string): Row | undefined {
    return this.#ties.find(owner, id);
  }

  #token(claim: number): Token {
    return this.#claims.at(-1 - claim)?.token ?? "none";
  }

  #running(token: Token): Row | undefined {
    return this.#rows.find((row) => row.token === token);
  }
}

/** Tasks of the same kind are served in their own order; the others take turns. */
function kind({ task: { owner, type, alone } }: Row): string {
  return `${owner} ${type} ${alone}`;
}

/** What came back, or the class of what was thrown. */
async function outcome(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    return error instanceof Error ? error.constructor : error;
  }
}
