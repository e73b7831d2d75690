import assert from "node:assert/strict";
import fc from "fast-check";
import type { Failure } from "../queue/outcome.ts";
import { afterFailure, backoff } from "../queue/retry.ts";
import { claimed, created, type Task } from "../queue/task.ts";

const POLICY = { base: 100, max: 10_000 };
const NOW = 1_000_000;

function task(change: Partial<Task> = {}): Task {
  const draft = {
    id: "a",
    type: "t",
    owner: "",
    input: "1",
    priority: 0,
    maxAttempts: 5,
    timeout: 1_000,
  };
  return { ...claimed(created(draft, NOW), NOW), ...change };
}

function after(failure: Partial<Failure>, change: Partial<Task> = {}, random = 0.5) {
  const full = { code: "handler_error", message: "m", retryable: true, ...failure };
  return afterFailure(task(change), full, POLICY, NOW, random);
}

Deno.test("the wait is within its bounds, whatever the attempt", () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(fc.property(fc.integer({ min: 1, max: 1_000 }), chance, (attempt, random) => {
    const wait = backoff(attempt, POLICY, random);
    assert.ok(Number.isInteger(wait) && wait >= 0 && wait <= POLICY.max);
    assert.ok(wait <= POLICY.base * 2 ** (attempt - 1));
  }));
  assert.deepEqual([1, 2, 3].map((attempt) => backoff(attempt, POLICY, 0.5)), [50, 100, 200]);
});

Deno.test("a failure that may pass is tried again after a wait", () => {
  assert.deepEqual(after({ details: { status: 503 } }), {
    to: "scheduled",
    error: {
      code: "handler_error",
      message: "m",
      retryable: true,
      attempt: 1,
      at: NOW,
      details: { status: 503 },
    },
    crashes: 0,
    alone: false,
    runAt: NOW + 50,
  });
});

Deno.test("the last attempt, and what is not retryable, is final", () => {
  assert.equal(after({}, { attempt: 5 }).to, "failed");
  assert.equal(after({ retryable: false }).to, "failed");
});

Deno.test("Retry-After is honoured, up to an hour", () => {
  const runAt = (retryAfter: number) => {
    const decision = after({ retryAfter });
    return decision.to === "scheduled" ? decision.runAt - NOW : undefined;
  };
  assert.deepEqual([5_000, 1, 1e12, -1].map(runAt), [5_000, 50, 3_600_000, 50]);
});

Deno.test("a crash runs alone next; the third is the last", () => {
  const crash = { code: "worker_lost", crash: true, details: { signal: "SIGKILL" } };
  const first = after(crash);
  assert.ok(first.to === "scheduled" && first.alone && first.crashes === 1);
  const third = after(crash, { crashes: 2 });
  assert.ok(third.to === "failed" && third.crashes === 3);
  const { code, retryable, details } = third.error;
  assert.deepEqual([code, retryable, details], ["poisoned", false, {
    signal: "SIGKILL",
    cause: "worker_lost",
  }]);
});

Deno.test("out of memory is tried once more at most", () => {
  const failure = { code: "out_of_memory", crash: true };
  assert.equal(after(failure).to, "scheduled");
  const again = after(failure, { crashes: 1 });
  assert.ok(again.to === "failed" && again.error.code === "out_of_memory");
});

Deno.test("who was stopped on request neither fails nor pays", () => {
  assert.deepEqual(after({ code: "cancelled" }), { to: "cancelled" });
  assert.deepEqual(after({ code: "shutdown_aborted" }), { to: "queued", alone: false });
});
