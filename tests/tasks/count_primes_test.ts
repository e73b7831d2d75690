import assert from "node:assert/strict";
import fc from "fast-check";
import countPrimes from "../../tasks/count_primes.ts";
import { contextFor, perform } from "./context.ts";

const known = [[0, 0], [1, 0], [2, 1], [3, 2], [100, 25], [131_072, 12_251], [1_000_000, 78_498]] as const;
for (const [upTo, count] of known) {
  Deno.test(`count-primes finds ${count} primes up to ${upTo}`, async () => {
    assert.deepEqual(await perform(countPrimes, { upTo }, contextFor()), { count });
  });
}

Deno.test("count-primes agrees with trial division", async () => {
  const isPrime = (n: number) => {
    for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
    return n >= 2;
  };
  await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: 3_000 }), async (upTo) => {
    let count = 0;
    for (let n = 2; n <= upTo; n++) if (isPrime(n)) count++;
    assert.deepEqual(await perform(countPrimes, { upTo }, contextFor()), { count });
  }));
});

Deno.test("count-primes says how far it is, up to the end", async () => {
  const context = contextFor();
  await perform(countPrimes, { upTo: 1_000_000 }, context);
  const currents = context.progressed.map(({ current }) => current);
  assert.deepEqual(currents, [...currents].sort((a, b) => a - b));
  assert.deepEqual(context.progressed.at(-1), {
    current: 1_000_000,
    total: 1_000_000,
    message: "78498 primes",
  });
});

Deno.test("count-primes stops between two segments when it is aborted", async () => {
  const controller = new AbortController();
  const reason = new DOMException("cancelled", "AbortError");
  const context = contextFor({ signal: controller.signal });
  const counting = perform(countPrimes, { upTo: 10_000_000_000 }, context);
  controller.abort(reason);
  await assert.rejects(counting, (error) => error === reason);
  assert.equal(context.progressed.length, 1);
});

for (const upTo of [-1, 2.5, 10_000_000_001, "100", undefined]) {
  Deno.test(`count-primes refuses ${upTo} as the end`, () => {
    assert.deepEqual(countPrimes.input.safeParse({ upTo }).error?.issues[0]?.path, ["upTo"]);
  });
}
