/** The part of the store's contract that is about owners: whose task is next, and how many of one may run. */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import type { Claim, Store, StoreOptions } from "../queue/store.ts";
import { type Clock, draft, failure, LEASE, put, take } from "./store_fixtures.ts";

type Body = (store: Store, clock: Clock) => Promise<void>;
type Test = (sentence: string, body: Body, options?: Partial<StoreOptions>) => void;

async function flood(store: Store, owner: string, count: number, type = "mail"): Promise<void> {
  await store.enqueue(Array.from({ length: count }, () => draft({ owner, type })));
}

async function end(store: Store, ...claims: readonly (Claim | undefined)[]): Promise<void> {
  await store.settle(claims.map((claim) => ({ token: claim!.token, to: "succeeded", result: undefined })));
}

const ownersOf = (claims: readonly Claim[]) => claims.map(({ task }) => task.owner).join(" ");
const idsOf = (claims: readonly Claim[]) => claims.map(({ task }) => task.id);
/** Ann may have two tasks running, the others as many as they like. */
const annHasTwo = { concurrencyOf: (owner: string) => owner === "ann" ? 2 : undefined };

export function fairnessContract(test: Test): void {
  test("claim() lets owners take turns, whoever has queued more, or earlier", async (store, clock) => {
    await flood(store, "ann", 100);
    await flood(store, "bob", 3);
    await flood(store, "eve", 1);
    equal(ownersOf(await take(store, clock, { limit: 9 })), "ann bob eve ann bob ann bob ann ann");
  });

  for (const places of [1, 2, 4]) {
    test(
      `claim() gives who comes anew the first of ${places} places that comes free`,
      async (store, clock) => {
        await flood(store, "ann", 100);
        const running = await take(store, clock, { limit: places });
        await flood(store, "bob", 2);
        await end(store, running[0]);
        equal(ownersOf(await take(store, clock)), "bob");
      },
    );
  }

  test("claim() shares places, not starts: short tasks do not wait for long ones", async (store, clock) => {
    await flood(store, "ann", 10);
    await flood(store, "bob", 10);
    let [, bobs] = await take(store, clock, { limit: 2 });
    for (let n = 0; n < 9; n++) {
      await end(store, bobs);
      [bobs] = await take(store, clock);
      equal(bobs?.task.owner, "bob");
    }
  });

  test("claim() heeds priority among an owner's own, and against no other owner", async (store, clock) => {
    const low = await put(store, { owner: "ann", priority: -1 });
    const bobs = await put(store, { owner: "bob", priority: -5 });
    const high = await put(store, { owner: "ann", priority: 100 });
    deepEqual(idsOf(await take(store, clock, { limit: 3 })), [high, bobs, low]);
  });

  test(
    "claim() passes over an owner who has as many running as it may, of all types",
    async (store, clock) => {
      await flood(store, "ann", 5);
      await flood(store, "ann", 5, "pdf");
      await flood(store, "bob", 4);
      equal(ownersOf(await take(store, clock, { type: "pdf" })), "ann");
      equal(ownersOf(await take(store, clock, { limit: 4 })), "ann bob bob bob");
      equal(ownersOf(await take(store, clock, { type: "pdf", limit: 9 })), "");
      equal(ownersOf(await take(store, clock, { limit: 9 })), "bob");
    },
    annHasTwo,
  );

  test(
    "claim() takes an owner's next when one of its tasks has ended, in whichever way",
    async (store, clock) => {
      await flood(store, "ann", 20);
      const next = async () => {
        const claims = await take(store, clock, { limit: 9 });
        equal(claims.length, 1);
        return claims[0]!;
      };
      const both = await take(store, clock, { limit: 9 });
      equal(both.length, 2);
      await end(store, both[0]);
      let claim = await next();
      for (const to of ["cancelled", "queued", "scheduled", "failed"] as const) {
        const more = { error: failure(clock.time), crashes: 0, alone: true, runAt: clock.time + 1e9 };
        await store.settle([{ token: claim.token, to, ...more }]);
        claim = await next();
      }
      await store.renew([claim.token], clock.time + 2 * LEASE);
      clock.time += LEASE + 1;
      equal(await store.recover(), 1);
      await next();
    },
    annHasTwo,
  );

  test("claim() gives an owner's last place to the type that has waited longest", async (store, clock) => {
    await flood(store, "ann", 10);
    const wants = ["mail", "pdf"].map((type) => ({ type, alone: false, limit: 9 }));
    let [running] = await store.claim(wants, clock.time + LEASE);
    const types = [];
    await flood(store, "ann", 3, "pdf");
    for (let n = 0; n < 6; n++) {
      await end(store, running);
      const claims = await store.claim(n % 2 ? wants : wants.toReversed(), clock.time + LEASE);
      equal(claims.length, 1);
      running = claims[0];
      types.push(running!.task.type);
    }
    equal(types.join(" "), "pdf mail pdf mail pdf mail");
  }, { concurrencyOf: () => 1 });

  test("claim() leaves no place empty for a type that cannot run now", async (store, clock) => {
    await flood(store, "ann", 1, "pdf");
    await flood(store, "ann", 10);
    for (let n = 0; n < 3; n++) {
      const claims = await take(store, clock, { limit: 9 });
      equal(claims.length, 2);
      await end(store, ...claims);
    }
  }, annHasTwo);

  test("a task whose run was cut short keeps its place among its owner's", async (store, clock) => {
    const ids = [await put(store), await put(store), await put(store)];
    const claims = await take(store, clock, { limit: 2 });
    await store.settle(claims.toReversed().map(({ token }) => ({ token, to: "queued", alone: false })));
    deepEqual(idsOf(await take(store, clock, { limit: 3 })), ids);
    clock.time += LEASE + 1;
    await store.recover();
    deepEqual(idsOf(await take(store, clock, { limit: 3, alone: true })), ids);
  });

  test("a task that is tried again, or by hand, is queued behind the others", async (store, clock) => {
    const ids = [await put(store), await put(store), await put(store)];
    const [first, second] = await take(store, clock, { limit: 2 });
    const error = failure(clock.time);
    const runAt = clock.time + 1;
    await store.settle([
      { token: first!.token, to: "scheduled", error, crashes: 0, alone: false, runAt },
      { token: second!.token, to: "failed", error, crashes: 0 },
    ]);
    await store.retry("ann", ids[1]!);
    clock.time++;
    deepEqual(idsOf(await take(store, clock, { limit: 3 })), [ids[2], ids[1], ids[0]]);
  });

  const owner = fc.constantFrom("ann", "bob", "eve", "sam");
  const step = fc.oneof(
    fc.record({ do: fc.constant("enqueue" as const), owner, count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ do: fc.constant("claim" as const), limit: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant("end" as const), which: fc.nat() }),
  );

  test(
    "who comes anew waits for one task of each other owner at most, of none that was running",
    async (store, clock) => {
      // Each sequence has a type of its own, and so a store of its own.
      let type = 0;
      const property = fc.asyncProperty(fc.array(step, { maxLength: 100 }), async (steps) => {
        const sequence = new Sequence(store, clock, `type-${++type}`);
        for (const next of steps) await sequence.step(next);
      });
      await fc.assert(property, { numRuns: 100 });
    },
  );
}

type Step =
  | { do: "enqueue"; owner: string; count: number }
  | { do: "claim"; limit: number }
  | { do: "end"; which: number };

/** Tasks of one type; of each owner who has come anew, whom it must not wait for. */
class Sequence {
  #running: Claim[] = [];
  #queued = new Map<string, number>();
  #served = new Map<string, Set<string>>();

  constructor(readonly store: Store, readonly clock: Clock, readonly type: string) {}

  async step(next: Step): Promise<void> {
    if (next.do === "enqueue") await this.#enqueue(next);
    else if (next.do === "claim") await this.#claim(next.limit);
    else if (this.#running.length > 0) {
      await end(this.store, ...this.#running.splice(next.which % this.#running.length, 1));
    }
  }

  async #enqueue({ owner, count }: Step & { do: "enqueue" }): Promise<void> {
    const runs = this.#running.map(({ task }) => task.owner);
    if (!this.#queued.get(owner) && !runs.includes(owner)) this.#served.set(owner, new Set(runs));
    this.#queued.set(owner, (this.#queued.get(owner) ?? 0) + count);
    await flood(this.store, owner, count, this.type);
  }

  async #claim(limit: number): Promise<void> {
    const { store, clock, type } = this;
    const claims = await take(store, clock, { type, limit });
    const waiting = this.#queued.values().reduce((sum, count) => sum + count, 0);
    equal(claims.length, Math.min(limit, waiting));
    for (const claim of claims) {
      const { owner } = claim.task;
      this.#served.delete(owner);
      for (const [newcomer, others] of this.#served) {
        ok(!others.has(owner), `${newcomer} waits for a task of ${owner} that it need not wait for`);
        others.add(owner);
      }
      this.#queued.set(owner, this.#queued.get(owner)! - 1);
      this.#running.push(claim);
    }
  }
}
