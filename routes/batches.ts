import type { Hono } from "hono";
import { z } from "zod";
import { IdConflict, UniqueConflict } from "../queue/errors.ts";
import type { Batch, Enqueued, Together } from "../queue/store.ts";
import type { NewTask } from "../queue/task.ts";
import { stillAdmitted } from "./admit.ts";
import { BodyReader } from "./body.ts";
import { type AppDeps, type Limits, RETRY_AFTER } from "./deps.ts";
import { Idempotency } from "./idempotency.ts";
import { flawsOf, inspect, readJson } from "./json.ts";
import { type Flaw, Problem } from "./problem.ts";
import { isoTime, renderTask } from "./render.ts";
import { reply } from "./reply.ts";
import { type Origin, Submissions, taskId } from "./submission.ts";
import { refuseWhileDraining } from "./tasks.ts";
import { conflict } from "./translate.ts";
import { inTurns } from "./turns.ts";

const SIZE_MAX = 10_000;
const MAX_FLAWS = 50;

const batch = z.strictObject({
  tasks: z.array(z.unknown()).min(1).max(SIZE_MAX, `must be at most ${SIZE_MAX} tasks`),
  then: z.unknown().optional(),
});

/** What makes no sense for a task that comes when others have ended, whenever that is. */
const NOT_LATER = ["id", "runAt", "delay", "uniqueKey"];

/** Many tasks at once: accepted together, counted together, and followed by one more when all have ended. */
export function mountBatches(app: Hono, deps: AppDeps): void {
  const { store, admit, health, limits, waiters, newId, now, base = "" } = deps;
  const bodies = new BodyReader({ ...limits, body: limits.batchBody });
  const submissions = new Submissions(deps);
  const idempotency = new Idempotency(store, limits.idempotencyKept, now);

  app.post("/v1/tasks/batch", async (c) => {
    const request = c.req.raw;
    const caller = admit(request, "submit");
    const { owner } = caller;
    refuseWhileDraining(health);
    const { headers } = request;
    const text = await bodies.text(request);
    stillAdmitted(caller);
    const accept = async (together?: Together) => {
      const { tasks, then } = parse(readJson(text));
      const origin = { caller, headers };
      const drafts = await draftAll(submissions, tasks, origin, limits);
      if (then !== undefined) refuseOthers(drafts);
      const next = then === undefined ? undefined : await draftThen(submissions, then, origin, limits);
      return await store.enqueue(drafts, { ...together, batch: { id: newId(), then: next } }).catch(told);
    };
    const key = headers.get("idempotency-key");
    const enqueued = key === null
      ? await accept()
      : await idempotency.once(key, owner, text, (idempotency) => accept({ idempotency }));
    const id = batchOf(enqueued);
    const answer: Record<string, string> = {};
    if (id !== undefined) answer.location = `/v1/batches/${id}`;
    if (enqueued.every(({ replayed }) => replayed)) answer["idempotency-replayed"] = "true";
    const tasks = await inTurns(enqueued, ({ task }) => renderTask(task, base));
    return reply(202, `{${id === undefined ? "" : `"batch":"${id}",`}"tasks":[${tasks.join(",")}]}`, answer);
  });

  app.get("/v1/batches/:id", async (c) => {
    const request = c.req.raw;
    const caller = admit(request, "read");
    const id = taskId(c.req.param("id")) ?? "";
    const { found, headers: waited } = await waiters.look(request, caller, {
      id,
      read: () => store.batch(caller.owner, id),
      done: (now) => now === undefined || now.finishedAt !== undefined,
    });
    if (found === undefined) throw new Problem("batch-not-found");
    const headers: Record<string, string> = { "cache-control": "private, no-cache", ...waited };
    if (found.finishedAt === undefined) headers["retry-after"] = String(RETRY_AFTER.unfinished);
    return reply(200, renderBatch(found, base), headers);
  });
}

function parse(body: unknown): z.output<typeof batch> {
  const parsed = batch.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new Problem("validation-failed", undefined, { errors: flawsOf(parsed.error.issues) });
}

/** @throws {Problem} naming what is wrong with any of them */
async function draftAll(
  submissions: Submissions,
  tasks: readonly unknown[],
  origin: Origin,
  limits: Limits,
): Promise<NewTask[]> {
  const problems: Problem[] = [];
  const errors: Flaw[] = [];
  const drafts = await inTurns(tasks, async (task, index) => {
    if (errors.length >= MAX_FLAWS) return [];
    const at = ["tasks", index];
    try {
      inspect(task, limits, at);
      return [await submissions.draft(task, origin, at)];
    } catch (error) {
      // What names no place is no fault of this task alone.
      if (!(error instanceof Problem) || error.errors === undefined) throw error;
      problems.push(error);
      errors.push(...error.errors);
      return [];
    }
  });
  const [first] = problems;
  if (first === undefined) return drafts.flat();
  const alike = problems.every(({ code }) => code === first.code);
  throw new Problem(alike ? first.code : "validation-failed", undefined, {
    errors: errors.slice(0, MAX_FLAWS),
  });
}

/**
 * A task that is answered in place of one of the batch is no member, so a `then` would not wait for it, and without
 * any members never come.
 *
 * @throws {Problem}
 */
function refuseOthers(drafts: readonly NewTask[]): void {
  const detail = "must be reject or replace where the batch has a then";
  const errors = drafts.flatMap(({ extras }, index) =>
    extras?.uniqueKey?.onConflict === "return"
      ? [{ pointer: `#/tasks/${index}/uniqueKey/onConflict`, detail }]
      : []
  );
  if (errors.length === 0) return;
  throw new Problem("validation-failed", undefined, { errors: errors.slice(0, MAX_FLAWS) });
}

/** @throws {Problem} */
async function draftThen(
  submissions: Submissions,
  then: unknown,
  origin: Origin,
  limits: Limits,
): Promise<NewTask> {
  inspect(then, limits, ["then"]);
  const draft = await submissions.draft(then, origin, ["then"]);
  const wrong = NOT_LATER.filter((name) => Object.hasOwn(then as object, name));
  if (wrong.length === 0) return draft;
  const errors = wrong.map((name) => ({ pointer: `#/then/${name}`, detail: "must not be given here" }));
  throw new Problem("validation-failed", undefined, { errors });
}

/** Names the task that is in conflict. */
function told(error: unknown): never {
  const known = error instanceof IdConflict || error instanceof UniqueConflict;
  throw known ? conflict(error, `#/tasks/${error.index}`) : error;
}

/** The batch that was made; where nothing was new, the one that all of the tasks are in. */
function batchOf(enqueued: readonly Enqueued[]): string | undefined {
  const [first] = enqueued.map(({ batch, task }) => batch ?? task.extras?.batch);
  const alike = enqueued.every(({ batch, task }) => (batch ?? task.extras?.batch) === first);
  return alike ? first : undefined;
}

export function renderBatch({ id, size, counts, createdAt, finishedAt, then }: Batch, base: string): string {
  const self = `${base}/v1/batches/${id}`;
  return JSON.stringify({
    id,
    size,
    counts,
    createdAt: isoTime(createdAt),
    finishedAt: finishedAt === undefined ? undefined : isoTime(finishedAt),
    then,
    links: {
      self,
      events: `${self}/events`,
      tasks: `${base}/v1/tasks?batch=${id}`,
      then: then && `${base}/v1/tasks/${then}`,
    },
  });
}
