import { z } from "zod";
import { defineTask } from "./mod.ts";

const SEGMENT = 1 << 17;

export default defineTask({
  description: "Counts the primes up to a number: work that keeps a CPU busy.",
  input: z.strictObject({ upTo: z.int().min(0).max(10_000_000_000) }).meta({
    examples: [{ upTo: 1_000_000 }],
  }),
  result: z.strictObject({ count: z.int() }),
  isolation: "process",
  timeout: "10m",
  async run({ upTo }, { progress, signal }) {
    const base = primesUpTo(Math.floor(Math.sqrt(upTo)));
    let count = 0;
    // A segmented sieve of Eratosthenes: memory stays at one segment, whatever the number.
    for (let low = 2; low <= upTo; low += SEGMENT) {
      const high = Math.min(low + SEGMENT - 1, upTo);
      const composite = new Uint8Array(high - low + 1);
      for (const prime of base) {
        const first = Math.max(prime * prime, Math.ceil(low / prime) * prime);
        for (let n = first; n <= high; n += prime) composite[n - low] = 1;
      }
      for (const mark of composite) count += 1 - mark;
      progress(high, upTo, `${count} primes`);
      // A turn of the event loop, so that progress leaves and a cancel arrives.
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
    }
    return { count };
  },
});

function primesUpTo(limit: number): number[] {
  const composite = new Uint8Array(limit + 1);
  const primes: number[] = [];
  for (let n = 2; n <= limit; n++) {
    if (composite[n]) continue;
    primes.push(n);
    for (let multiple = n * n; multiple <= limit; multiple += n) composite[multiple] = 1;
  }
  return primes;
}
