import assert from "node:assert/strict";
import fc from "fast-check";
import { Ledger } from "../../../tasks/lib/bulk/ledger.ts";
import { CHECKPOINT_MAX } from "../../../tasks/mod.ts";
import { Memory } from "../context.ts";

const PEOPLE = 12;

/** What the world does in each step: which mail is next to move, and what becomes of it. */
const step = fc.record({
  what: fc.constantFrom("take", "begin", "accept", "reject", "lose", "reopen", "postpone", "save", "crash"),
  which: fc.nat(PEOPLE),
});

Deno.test("whatever happens in whichever order, nobody is forgotten, and twice gets it only who is named", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
    let memory = new Memory();
    let ledger = new Ledger(memory);
    let queue = 0;
    let waiting: number[] = [];
    let begun: [number, number][] = [];
    const arrived = new Map<number, number>();
    const crash = () => {
      // What was on its way may have arrived.
      for (const [place] of begun) if (place % 2 === 0) arrived.set(place, (arrived.get(place) ?? 0) + 1);
      memory = memory.next();
      ledger = new Ledger(memory);
      [queue, waiting, begun] = [0, [], []];
    };
    const walk = async (what: string, which: number) => {
      if (what === "crash") return crash();
      if (what === "save") return await ledger.save();
      if (what === "take") {
        if (queue < PEOPLE && ledger.take(queue++)) waiting.push(queue - 1);
        return;
      }
      if (what === "begin") {
        const [place] = waiting.splice(which % (waiting.length || 1), 1);
        if (place !== undefined) begun.push([place, await ledger.begin(place)]);
        return;
      }
      const [on] = begun.splice(which % (begun.length || 1), 1);
      if (!on) return;
      const [place, tries] = on;
      if (what === "accept") {
        arrived.set(place, (arrived.get(place) ?? 0) + 1);
        ledger.accept(place);
      } else if (what === "reject") ledger.reject(place, 550);
      else if (what === "lose") {
        arrived.set(place, (arrived.get(place) ?? 0) + 1);
        ledger.lose(place);
      } else if (what === "reopen") ledger.reopen(place, tries);
      else ledger.postpone(place, tries, 450);
    };
    for (const { what, which } of steps) await walk(what, which);
    // The last attempt, in which nothing goes wrong.
    crash();
    for (queue = 0; queue < PEOPLE; queue++) {
      if (!ledger.take(queue)) continue;
      await ledger.begin(queue);
      arrived.set(queue, (arrived.get(queue) ?? 0) + 1);
      ledger.accept(queue);
    }
    const named = new Set([...ledger.repeated, ...ledger.unknown]);
    for (let place = 0; place < PEOPLE; place++) {
      const times = arrived.get(place) ?? 0;
      if (!ledger.rejected.has(place) && !ledger.unknown.has(place)) {
        assert.ok(times >= 1, `${place} is forgotten`);
      }
      assert.ok(times <= 2, `${place} gets it ${times} times`);
      if (times === 2) assert.ok(named.has(place), `${place} is not named`);
    }
    assert.equal(ledger.done, PEOPLE);
  }));
});

Deno.test("the largest ledger fits in a checkpoint", async () => {
  const memory = new Memory();
  const ledger = new Ledger(memory);
  const far = 99_000;
  for (let i = 0; i < 2_000; i++) {
    ledger.take(far + i);
    const tries = await ledger.begin(far + i);
    if (i < 1_000) ledger.reject(far + i, 550);
    else if (i < 1_990) ledger.postpone(far + i, tries, 450);
  }
  await ledger.save();
  assert.ok(JSON.stringify(memory.saved).length < CHECKPOINT_MAX / 8);
});
