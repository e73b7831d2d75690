import type { Hono } from "hono";
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
    const [enqueued] = await store.enqueue([draft]);
    const { task, replayed } = enqueued!;
    const headers: Record<string, string> = { location: `/v1/tasks/${task.id}`, ...retryAfter(task, now()) };
    if (replayed) headers["idempotency-replayed"] = "true";
    return reply(202, renderTask(task), headers);
  });
}

export function refuseWhileDraining(health: AppDeps["health"]): void {
  if (!health.draining()) return;
  throw new Problem("draining", undefined, { headers: { "retry-after": String(RETRY_AFTER.draining) } });
}
