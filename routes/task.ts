import type { Context, Hono } from "hono";
import { isFinal, type Task } from "../queue/task.ts";
import { type AppDeps, OWNER } from "./deps.ts";
import { Problem } from "./problem.ts";
import { etagOf, renderLogs, renderTask, retryAfter } from "./render.ts";
import { reply, replyEmpty } from "./reply.ts";
import { definitionOf, taskId } from "./submission.ts";
import { refuseWhileDraining } from "./tasks.ts";

const PRIVATE = { "cache-control": "private, no-cache" };

/** `/v1/tasks/{id}` and what can be read of a task or done to it. */
export function mountTask(app: Hono, { store, registry, health, now }: AppDeps): void {
  app.get("/v1/tasks/:id", async (c) => {
    const task = await found(c, (id) => store.get(OWNER, id));
    const etag = etagOf(task);
    const headers = { ...PRIVATE, etag, ...retryAfter(task, now()) };
    if (matches(c.req.header("if-none-match"), etag)) return replyEmpty(304, headers);
    return reply(200, renderTask(task), headers);
  });

  app.get("/v1/tasks/:id/result", async (c) => {
    const task = await found(c, (id) => store.get(OWNER, id));
    if (task.result !== undefined && task.status === "succeeded") return reply(200, task.result, PRIVATE);
    throw new Problem("result-not-ready", whyNoResult(task), { headers: retryAfter(task, now()) });
  });

  app.get("/v1/tasks/:id/logs", async (c) => {
    return reply(200, renderLogs(await found(c, (id) => store.logs(OWNER, id))), PRIVATE);
  });

  app.post("/v1/tasks/:id/cancel", async (c) => {
    const task = await found(c, (id) => store.cancel(OWNER, id));
    return reply(isFinal(task.status) ? 200 : 202, renderTask(task), retryAfter(task, now()));
  });

  app.post("/v1/tasks/:id/retry", async (c) => {
    refuseWhileDraining(health);
    // The type may have gone since: the task would wait for ever.
    definitionOf(registry, (await found(c, (id) => store.get(OWNER, id))).type);
    const task = await found(c, (id) => store.retry(OWNER, id));
    return reply(202, renderTask(task), { location: `/v1/tasks/${task.id}`, ...retryAfter(task, now()) });
  });

  app.delete("/v1/tasks/:id", async (c) => {
    await found(c, async (id) => await store.remove(OWNER, id) || undefined);
    return replyEmpty(204);
  });

  /** What `verb` answers for the task of the path; a problem where there is no such task. */
  async function found<T>(c: Context, verb: (id: string) => Promise<T | undefined>): Promise<T> {
    const id = taskId(c.req.param("id") ?? "");
    const answer = id === undefined ? undefined : await verb(id);
    if (answer !== undefined) return answer;
    const expired = id !== undefined && await store.hasExpired(OWNER, id);
    throw new Problem(expired ? "task-expired" : "task-not-found");
  }
}

function whyNoResult({ status }: Task): string {
  switch (status) {
    case "succeeded":
      return "The task has succeeded without a result.";
    case "failed":
      return "The task has failed; its error tells why.";
    case "cancelled":
      return "The task was cancelled.";
    default:
      return "The task has not finished yet.";
  }
}

/** RFC 9110, 13.1.2: any of the listed tags, compared weakly, or `*`. */
function matches(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  const opaque = etag.slice(2);
  return condition.split(",").some((one) => {
    const tag = one.trim();
    return tag === "*" || tag === opaque || tag === etag;
  });
}
