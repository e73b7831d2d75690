/** What an EventSource must have heard of a task of the type `ticks`. */
import assert from "node:assert/strict";

export const STEPS = { steps: 8, ms: 250 };
export const TOLD = ["task.updated", "task.progress", "task.log", "task.succeeded"];

export interface Told {
  readonly name: string;
  readonly data: string;
  readonly id: string;
}

/** From its beginning to its end, without a gap or a repeat. */
export function checkStory(heard: readonly Told[], task: string): void {
  assert.equal(new Set(heard.map(({ id }) => id)).size, heard.length);
  const logged = heard.filter(({ name }) => name === "task.log").map(({ data }) => JSON.parse(data));
  assert.deepEqual(
    logged.map(({ task, message }) => [task, message]),
    Array.from({ length: STEPS.steps }, (_, n) => [task, `step ${n + 1}`]),
  );
  const views = heard.filter(({ name }) => name !== "task.log").map(({ data }) => JSON.parse(data));
  const first = views[0].version;
  assert.deepEqual(views.map(({ version }) => version), views.map((_, n) => first + n));
  const { name, data } = heard.at(-1)!;
  assert.deepEqual([name, JSON.parse(data).result, JSON.parse(data).id], [
    "task.succeeded",
    STEPS.steps,
    task,
  ]);
}
