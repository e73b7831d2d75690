import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { Heap } from "../../queue/stores/heap.ts";

const operation = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("push" as const), key: fc.nat(20) }) },
  fc.record({ do: fc.constant("pop" as const) }),
  fc.record({ do: fc.constant("remove" as const), at: fc.nat() }),
  fc.record({ do: fc.constant("move" as const), at: fc.nat(), key: fc.nat(20) }),
);

Deno.test("a heap gives its items in order, whatever was taken out of the middle or moved", () => {
  fc.assert(fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
    const heap = new Heap<{ key: number; index: number }>((a, b) => a.key < b.key);
    let inside: { key: number; index: number }[] = [];
    for (const op of operations) {
      if (op.do === "push") {
        const item = { key: op.key, index: -1 };
        heap.push(item);
        inside.push(item);
      } else if (op.do === "move") {
        const item = inside[op.at % inside.length];
        if (item === undefined) continue;
        item.key = op.key;
        heap.moved(item);
      } else {
        const item = op.do === "pop" ? heap.pop() : inside[op.at % inside.length];
        if (op.do === "remove" && item !== undefined) heap.remove(item);
        if (op.do === "pop") {
          equal(
            item?.key,
            inside.length ? Math.min(...inside.map(({ key }) => key)) : undefined,
          );
        }
        if (item !== undefined) equal(item.index, -1);
        inside = inside.filter((other) => other !== item);
      }
      equal(heap.length, inside.length);
    }
    const rest = Array.from(inside, () => heap.pop()?.key);
    deepEqual(rest, inside.map(({ key }) => key).sort((a, b) => a - b));
  }));
});

Deno.test("a heap refuses to remove what is not in it", () => {
  const heap = new Heap<{ index: number }>(() => false);
  throws(() => heap.remove({ index: -1 }));
});
