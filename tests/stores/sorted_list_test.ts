import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { SortedList } from "../../queue/stores/sorted_list.ts";

/** Blocks of keys to put in or take out, large enough that chunks split and shrink. */
const block = fc.record({
  insert: fc.boolean(),
  from: fc.nat(3_000),
  count: fc.nat(900),
  step: fc.integer({ min: 1, max: 3 }),
});

Deno.test("a sorted list has its items in order, from any place downwards", () => {
  const property = fc.property(fc.array(block, { maxLength: 12 }), fc.nat(4_000), (blocks, bound) => {
    const items = Array.from({ length: 6_000 }, (_, key) => ({ key }));
    const list = new SortedList<{ key: number }>(({ key }) => key);
    const inside = new Set<number>();
    for (const { insert, from, count, step } of blocks) {
      for (let n = 0, key = from; n < count; n++, key += step) {
        if (inside.has(key) === insert) continue;
        list[insert ? "insert" : "remove"](items[key]!);
        inside[insert ? "add" : "delete"](key);
      }
      equal(list.length, inside.size);
    }
    const found = Array.from(list.descending(({ key }) => key < bound), ({ key }) => key);
    deepEqual(found, [...inside].filter((key) => key < bound).sort((a, b) => b - a));
  });
  fc.assert(property, { numRuns: 60 });
});

Deno.test("a sorted list refuses to remove what is not in it", () => {
  const list = new SortedList<{ key: number }>(({ key }) => key);
  throws(() => list.remove({ key: 1 }));
  list.insert({ key: 1 });
  throws(() => list.remove({ key: 1 }));
  throws(() => list.remove({ key: 2 }));
});
