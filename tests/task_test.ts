import { deepEqual, equal, ok, throws } from "node:assert/strict";
import fc from "fast-check";
import * as transition from "../queue/task.ts";
import {
  IllegalTransition,
  isFinal,
  may,
  sizeOf,
  type Status,
  type Task,
  type Transition,
  TRANSITIONS,
} from "../queue/task.ts";
import { draft, failure } from "./store_fixtures.ts";

/** Each transition with a likely occasion. */
const MOVES: Readonly<Record<Transition, (task: Task, now: number) => Task>> = {
  due: (task) => transition.due(task),
  claimed: (task, now) => transition.claimed(task, now),
  succeeded: (task, now) => transition.succeeded(task, "1", now, now + 1),
  failed: (task, now) => transition.failed(task, failure(now), 0, now, now + 1),
  retryLater: (task, now) => transition.retryLater(task, failure(now), 0, false, now + 9),
  released: (task) => transition.released(task, true),
  cancelled: (task, now) => transition.cancelled(task, now, now + 1),
  retried: (task) => transition.retried(task),
};
const NAMES = Object.keys(TRANSITIONS) as Transition[];

const move = fc.constantFrom(...NAMES);
const start = fc.option(fc.integer({ min: -5, max: 5 }), { nil: undefined });

/** The snapshots along a sequence of transitions; those that the table does not have must throw. */
function walk(runAt: number | undefined, moves: readonly Transition[]): Task[] {
  const snapshots = [transition.created(draft({ runAt }), 0)];
  moves.forEach((name, now) => {
    const task = snapshots.at(-1)!;
    if (may(task.status, name)) snapshots.push(MOVES[name](task, now));
    else throws(() => MOVES[name](task, now), IllegalTransition);
  });
  return snapshots;
}

Deno.test("a task starts as scheduled where it has a future runAt, otherwise as queued", () => {
  fc.assert(fc.property(start, (runAt) => {
    const { status } = transition.created(draft({ runAt }), 0);
    equal(status, runAt !== undefined && runAt > 0 ? "scheduled" : "queued");
  }));
});

Deno.test("no sequence leaves a final status, except by hand", () => {
  const onItsOwn = move.filter((name) => name !== "retried");
  fc.assert(fc.property(start, fc.array(onItsOwn), (runAt, moves) => {
    const snapshots = walk(runAt, moves);
    equal(snapshots.slice(0, -1).some(({ status }) => isFinal(status)), false);
  }));
});

Deno.test("by hand, failed and cancelled tasks are queued again, and nothing follows success", () => {
  const leaving = (status: Status) => NAMES.filter((name) => may(status, name));
  deepEqual(leaving("failed"), ["retried"]);
  deepEqual(leaving("cancelled"), ["retried"]);
  deepEqual(leaving("succeeded"), []);
});

Deno.test("the version grows by one with every change, and a snapshot never changes", () => {
  fc.assert(fc.property(start, fc.array(move), (runAt, moves) => {
    const snapshots = walk(runAt, moves).map((task) => Object.freeze(task));
    snapshots.forEach((task, at) => equal(task.version, at + 1));
    equal(new Set(snapshots).size, snapshots.length);
  }));
});

Deno.test("times, result and error fit the status in every snapshot", () => {
  fc.assert(fc.property(start, fc.array(move), (runAt, moves) => {
    for (const task of walk(runAt, moves)) {
      equal(task.finishedAt !== undefined, isFinal(task.status));
      equal(task.expiresAt !== undefined, isFinal(task.status));
      equal(task.result !== undefined, task.status === "succeeded");
      if (task.status === "running") ok(task.startedAt !== undefined && task.attempt >= 1);
      if (task.status === "scheduled") ok(task.runAt !== undefined);
      if (task.status === "succeeded") equal(task.error, undefined);
      if (task.status === "failed") ok(task.error !== undefined);
    }
  }));
});

Deno.test("progress and the request to cancel are changes; a second request is none", () => {
  const running = transition.claimed(transition.created(draft(), 0), 1);
  const asked = transition.cancelRequested(running, 2);
  equal(asked.version, running.version + 1);
  equal(transition.cancelRequested(asked, 3), asked);
  equal(transition.progressed(asked, { current: 1 }).version, asked.version + 1);
});

Deno.test("a task weighs its texts and the record around them", () => {
  const task = transition.created(draft({ input: "12345", metadata: "{}" }), 0);
  equal(sizeOf(task), 647);
  equal(sizeOf(transition.succeeded(transition.claimed(task, 0), "123", 0)), 650);
});
