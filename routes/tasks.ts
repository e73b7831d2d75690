import type { Hono } from "hono";
import { IdConflict, QueueFull } from "../queue/errors.ts";
import type { Enqueued } from "../queue/store.ts";
import type { NewTask } from "../queue/task.ts";
import { BodyReader } from "./body.ts";
import { type AppDeps, OWNER, RETRY_AFTER } from "./deps.ts";
import { parseJson } from "./json.ts";
import { Problem } from "./problem.ts";
import { renderTask, retryAfter } from "./render.ts";
import { reply } from "./reply.ts";
import { Submissions } from "./submission.ts";

/** `POST /v1/tasks`: the hot path. Nothing stands between the router and this handler. */
export function mountTasks(app: Hono, deps: AppDeps): void {
  const { store, limits, health, now } = deps;
  const bodies = new BodyReader(limits);
  const submissions = new Submissions(deps.registry, deps.newId, now, (error) => deps.log?.(error, "-"));

  app.post("/v1/tasks", async (c) => {
    refuseWhileDraining(health);
    const body = parseJson(await bodies.text(c.req.raw), limits);
    const draft = await submissions.draft(body, OWNER);
    const { task, replayed } = await enqueue(draft);
    const headers: Record<string, string> = { location: `/v1/tasks/${task.id}`, ...retryAfter(task, now()) };
    if (replayed) headers["idempotency-replayed"] = "true";
    return reply(202, renderTask(task), headers);
  });

  async function enqueue(draft: NewTask): Promise<Enqueued> {
    try {
      const [enqueued] = await store.enqueue([draft]);
      return enqueued!;
    } catch (error) {
      throw asProblem(error);
    }
  }
}

export function refuseWhileDraining(health: AppDeps["health"]): void {
  if (!health.draining()) return;
  throw new Problem("draining", undefined, { headers: { "retry-after": String(RETRY_AFTER.draining) } });
}

/** The problem that a store's error is for the client; any other error as it is. */
export function asProblem(error: unknown): unknown {
  if (error instanceof QueueFull) {
    const seconds = String(Math.max(1, Math.ceil(error.retryAfter)));
    return new Problem("queue-full", undefined, { headers: { "retry-after": seconds } });
  }
  if (error instanceof IdConflict) {
    const errors = [{ pointer: "#/id", detail: "is in use by a task of other type, input or metadata" }];
    return new Problem("unique-conflict", undefined, { errors });
  }
  return error;
}
