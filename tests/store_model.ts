/**
 * A model of a store: all tasks in one array, looked through from start to end for everything. Random sequences of
 * verbs must leave a store and its model with the same tasks.
 */
import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { IdConflict, WrongStatus } from "../queue/errors.ts";
import { lapsed, settled, stopped } from "../queue/settled.ts";
import type { Claim, Settlement, Store, Token } from "../queue/store.ts";
import * as transition from "../queue/task.ts";
import { type Status, type Task } from "../queue/task.ts";
import { type Command, command } from "./store_commands.ts";
import { Clock, draft, failure, LEASE, type Open } from "./store_fixtures.ts";

const RETENTION = { retentionSucceeded: 40_000, retentionFailed: 90_000 };

interface Row {
  task: Task;
  /** When it was queued last, among all. */
  order: number;
  /** The latest claim of it, among all. */
  claimed: number;
  token?: Token;
  until: number;
}

/** Registers the test. fast-check prints the seed and the shortest sequence that fails. */
export function storeModel(name: string, open: Open, numRuns: number): void {
  Deno.test(`${name}: behaves like the model, whatever the sequence of verbs`, async () => {
    const property = fc.asyncProperty(
      fc.array(command, { maxLength: 150, size: "max" }),
      async (commands) => {
        const clock = new Clock();
        const store = await open({ now: clock.now, ...RETENTION });
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
  #expired = new Set<string>();
  #orders = 0;
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
    const { delay, owner, type, input, priority } = next;
    const runAt = delay === undefined ? undefined : this.clock.time + delay;
    const wish = draft({ id: `${next.id}`, owner, type, input, priority, runAt });
    const known = this.#find(owner, wish.id);
    const answer = await outcome(this.store.enqueue([wish]));
    if (known === undefined) {
      const task = transition.created(wish, this.clock.time);
      this.#rows.push({ task, order: ++this.#orders, claimed: 0, until: 0 });
      deepEqual(answer, [{ task, replayed: false }]);
    } else if (known.task.type === type && known.task.input === input) {
      deepEqual(answer, [{ task: known.task, replayed: true }]);
    } else equal(answer, IdConflict);
  }

  async #claim({ type, alone, limit }: Command & { do: "claim" }): Promise<void> {
    const due = this.#rows.filter(({ task }) =>
      task.status === "scheduled" && task.runAt! <= this.clock.time
    );
    due.sort((a, b) => a.task.runAt! - b.task.runAt!);
    for (const row of due) this.#become(row, transition.due(row.task));
    const rows = this.#rows
      .filter(({ task }) => task.status === "queued" && task.type === type && task.alone === alone)
      .sort((a, b) => b.task.priority - a.task.priority || a.order - b.order)
      .slice(0, limit);
    const until = this.clock.time + LEASE;
    const claims = await this.store.claim([{ type, alone, limit }], until);
    for (const row of rows) this.#become(row, transition.claimed(row.task, this.clock.time));
    deepEqual(claims.map(({ task }) => task), rows.map(({ task }) => task));
    rows.forEach((row, at) =>
      Object.assign(row, { token: claims[at]!.token, until, claimed: this.#claims.push(claims[at]!) })
    );
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
    if (verb === "remove") {
      this.#rows.splice(this.#rows.indexOf(row), 1);
      this.#expired.delete(`${owner} ${id}`);
      return equal(answer, true);
    }
    if (verb === "retry") this.#become(row, transition.retried(task));
    else if (task.status === "running") row.task = transition.cancelRequested(task, this.clock.time);
    else if (task.status !== "cancelled") this.#become(row, stopped(task, this.clock.time, RETENTION));
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
      this.#rows.splice(this.#rows.indexOf(row), 1);
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
    const waiting = this.#rows.filter(({ task }) => task.status === "scheduled").map(({ task }) =>
      task.runAt!
    );
    equal(await this.store.nextDue(), waiting.length ? Math.min(...waiting) : undefined);
  }

  #become(row: Row, task: Task): void {
    row.task = task;
    if (task.status === "queued") row.order = ++this.#orders;
    if (task.status !== "running") row.token = undefined;
  }

  #find(owner: string, id: string): Row | undefined {
    return this.#rows.find(({ task }) => task.owner === owner && task.id === id);
  }

  #token(claim: number): Token {
    return this.#claims.at(-1 - claim)?.token ?? "none";
  }

  #running(token: Token): Row | undefined {
    return this.#rows.find((row) => row.token === token);
  }
}

/** What came back, or the class of what was thrown. */
async function outcome(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    return error instanceof Error ? error.constructor : error;
  }
}
