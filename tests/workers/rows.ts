/** One row of the table of failures, and what holds in every row. */
import assert from "node:assert/strict";
import { alive, pause, type Service, type TaskView, TOLERANCE, until } from "../service.ts";

const CAPACITY_WITHIN = 1_000;
const GRACE = 5_000;
const MARGIN = 2_000;

export interface Row {
  readonly type: string;
  readonly way: string;
  /** The code that it ends with; `undefined` where it succeeds. */
  readonly code: string | undefined;
  readonly retryable?: boolean;
  /** Attempts until then. */
  readonly attempts?: number;
  readonly more?: Record<string, unknown>;
  readonly input?: Record<string, unknown>;
  /** Told of the final task. */
  readonly check?: (task: TaskView) => void;
  /** How often the neighbour may begin anew, whatever it is charged. */
  readonly neighbour?: false;
  /** What becomes of the runner that it shares with its neighbour. */
  readonly runner?: "killed" | "kept";
}

/**
 * Runs the row's task beside one of the same type and one of another, and checks what every row promises: the API
 * lives and answers, the task ends once, on time and with its code; neighbours end well in their first attempt;
 * there is room again, and no core is lost.
 */
export async function holds(service: Service, row: Row): Promise<TaskView> {
  const { type, way, code, more = {}, input = {} } = row;
  const other = await service.submit("sleep", { ms: 700 });
  const neighbour = row.neighbour === false
    ? undefined
    : await service.submit(type, { way: "wait", ms: 700 });
  if (neighbour) await service.reached(neighbour, "running");
  await pause(50);
  const stopWatching = service.watch();
  const begun = performance.now();
  const task = await service.run(type, { way, ...input }, { maxAttempts: 2, ...more });
  const took = performance.now() - begun;
  const next = service.run(type, { way: "quick" });
  const again = performance.now();

  assert.equal(task.error?.code, code, JSON.stringify(task.error));
  assert.equal(task.status, code === undefined ? "succeeded" : "failed");
  if (row.attempts !== undefined) assert.equal(task.attempt, row.attempts, "attempts");
  if (code !== undefined && row.retryable !== undefined) {
    assert.equal(task.error?.retryable, row.retryable, "retryable");
  }
  const timeout = Number.parseInt(String(more.timeout ?? "60000"));
  assert.ok(took < (timeout + GRACE + MARGIN) * task.attempt * TOLERANCE, `it took ${took.toFixed()} ms`);
  row.check?.(task);

  assert.equal((await next).status, "succeeded", JSON.stringify((await next).error));
  const room = performance.now() - again;
  assert.ok(room < CAPACITY_WITHIN * TOLERANCE, `room after ${room.toFixed()} ms`);
  let pid = 0;
  if (neighbour) {
    const { status, attempt, error, result } = await service.final(neighbour);
    assert.deepEqual({ status, attempt, error }, { status: "succeeded", attempt: 1, error: undefined });
    pid = (result as { pid: number }).pid;
  }
  const { status, attempt } = await service.final(other);
  assert.deepEqual({ status, attempt }, { status: "succeeded", attempt: 1 });
  await service.calm();
  assert.ok(!row.runner || pid, "only a neighbour knows the runner");
  if (row.runner === "killed") await until("the end of the runner", () => !alive(pid));
  if (row.runner === "kept") assert.ok(alive(pid), "the runner lives");
  await stopWatching();
  const after = await service.get(task.id);
  assert.equal(after.status, task.status, "a final status does not change");
  return task;
}

export async function table(t: Deno.TestContext, service: Service, rows: readonly Row[]): Promise<void> {
  for (const row of rows) {
    const outcome = row.code ?? "succeeds";
    await t.step(`${row.type} ${row.way} → ${outcome}`, async () => void await holds(service, row));
  }
}
