import assert from "node:assert/strict";
import fc from "fast-check";
import { Problem } from "../../routes/problem.ts";
import { Bucket, parseRate, type Rate, Streams } from "../../routes/rate.ts";

const rates = fc.record({
  quota: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100_000_000 })),
  window: fc.constantFrom(1, 60, 3600, 86_400),
});
/** Milliseconds between requests: mostly a few, sometimes a lot. */
const pauses = fc.array(fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 200_000_000 })), {
  maxLength: 200,
});

/** The times of requests that got a token. */
function served(rate: Rate, waits: readonly number[]): number[] {
  const bucket = new Bucket(rate, 0);
  let now = 0;
  return waits.map((wait) => now += wait).filter((at) => bucket.take(at));
}

Deno.test("a rate is read as it is written", () => {
  assert.deepEqual(parseRate("100/s"), { quota: 100, window: 1 });
  assert.deepEqual(parseRate("5000/h"), { quota: 5000, window: 3600 });
  for (const text of ["", "/s", "0/s", "1/w", "1/ s", "1e3/s", "100000001/d", "1/s ", "٣/s", "-1/s"]) {
    assert.equal(parseRate(text), undefined, text);
  }
});

Deno.test("in no stretch of time more requests are served than the quota and what was refilled", () => {
  fc.assert(fc.property(rates, pauses, (rate, waits) => {
    const times = served(rate, waits);
    for (let from = 0; from < times.length; from++) {
      for (let to = from; to < times.length; to++) {
        const refilled = (times[to]! - times[from]!) * rate.quota / (rate.window * 1000);
        assert.ok(to - from + 1 <= rate.quota + refilled + 1e-6);
      }
    }
  }));
});

Deno.test("who keeps to the rate is always served", () => {
  fc.assert(fc.property(rates, fc.nat(100), (rate, more) => {
    const apart = Math.ceil(rate.window * 1000 / rate.quota) + more;
    const waits = Array(100).fill(apart);
    assert.equal(served(rate, waits).length, waits.length);
  }));
});

Deno.test("what is told is true: so many are left, and one more after the wait, but not a second earlier", () => {
  fc.assert(fc.property(rates, pauses, fc.nat(1_000_000), (rate, waits, start) => {
    /** The same bucket, as often as needed. */
    const replay = () => {
      const bucket = new Bucket(rate, start);
      let now = start;
      for (const wait of waits) bucket.take(now += wait);
      return { bucket, now };
    };
    const { bucket: { left, wait } } = replay();
    if (left > 1000) return;
    const countAt = (later: number) => {
      const { bucket, now } = replay();
      let count = 0;
      while (count <= left + 1 && bucket.take(now + later)) count++;
      return count;
    };
    assert.equal(countAt(0), left);
    assert.ok(wait >= 1);
    if (left < rate.quota) assert.ok(countAt(wait * 1000) > left);
    if (wait > 1) assert.equal(countAt((wait - 1) * 1000), left);
  }));
});

Deno.test("a clock that is set back refills nothing and starves nobody", () => {
  const bucket = new Bucket({ quota: 1, window: 1 }, 10_000_000);
  assert.equal(bucket.take(10_000_000), true);
  assert.equal(bucket.take(0), false);
  assert.equal(bucket.take(999), false);
  assert.equal(bucket.take(1000), true);
});

Deno.test("the headers are structured fields of the RateLimit draft", () => {
  const bucket = new Bucket({ quota: 2, window: 60 }, 0);
  bucket.take(0);
  assert.deepEqual(Object.fromEntries(bucket.headers), {
    "ratelimit-policy": '"default";q=2;w=60',
    "ratelimit": '"default";r=1;t=30',
  });
});

Deno.test("a key has so many streams at once, and one that has ended makes room, once", () => {
  const streams = new Streams(2);
  const [ada, bob, anybody] = ["ada", "bob", ""].map((keyId) => ({ keyId })) as [Keyed, Keyed, Keyed];
  const end = streams.take(ada);
  streams.take(ada);
  const full = (error: unknown) =>
    error instanceof Problem && error.code === "rate-limited" && Number(error.headers?.["retry-after"]) > 0;
  assert.throws(() => streams.take(ada), full);
  streams.take(bob);
  for (let i = 0; i < 10; i++) streams.take(anybody);
  end();
  end();
  streams.take(ada);
  assert.throws(() => streams.take(ada), full);
});

type Keyed = { keyId: string };
