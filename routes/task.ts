import type { Context, Hono } from "hono";
import { isFinal, type Task } from "../queue/task.ts";
import type { AppDeps } from "./deps.ts";
import type { Scope } from "./keys/scopes.ts";
import { fileOf, sendFile } from "./files.ts";
import { found } from "./found.ts";
import { Problem } from "./problem.ts";
import { etagOf, renderLogs, renderTask, retryAfter } from "./render.ts";
import { reply, replyEmpty } from "./reply.ts";
import { definitionOf } from "./submission.ts";
import { refuseWhileDraining } from "./tasks.ts";

const PRIVATE = { "cache-control": "private, no-cache" };

/** `/v1/tasks/{id}` and what can be read of a task or done to it. */
export function mountTask(app: Hono, deps: AppDeps): void {
  const { store, files, registry, admit, health, waiters, now, base } = deps;

  app.get("/v1/tasks/:id", async (c) => {
    const caller = admit(c.req.raw, "read");
    const id = c.req.param("id");
    const condition = c.req.header("if-none-match");
    const { found: task, headers: waited } = await waiters.look(c.req.raw, caller, {
      id: id.toLowerCase(),
      read: () => found(store, caller.owner, id, (owner, id) => store.get(owner, id)),
      // Who has a version waits for another; who has none, for the last.
      done: (task) => isFinal(task.status) || (condition !== undefined && !matches(condition, etagOf(task))),
    });
    const etag = etagOf(task);
    const headers = { ...PRIVATE, etag, ...retryAfter(task, now()), ...waited };
    if (matches(condition, etag)) return replyEmpty(304, headers);
    return reply(200, renderTask(task, base), headers);
  });

  app.get("/v1/tasks/:id/result", async (c) => {
    const task = await the(c, "read", (owner, id) => store.get(owner, id));
    if (task.result !== undefined && task.status === "succeeded") {
      const file = files && registry.get(task.type)?.definition?.files && await fileOf(task, files);
      return file ? await sendFile(c, files, file) : reply(200, task.result, PRIVATE);
    }
    throw new Problem("result-not-ready", whyNoResult(task), { headers: retryAfter(task, now()) });
  });

  app.get("/v1/tasks/:id/logs", async (c) => {
    const { lines } = await the(c, "read", (owner, id) => store.logs(owner, id));
    return reply(200, renderLogs(lines), PRIVATE);
  });

  app.post("/v1/tasks/:id/cancel", async (c) => {
    const task = await the(c, "cancel", (owner, id) => store.cancel(owner, id));
    return reply(isFinal(task.status) ? 200 : 202, renderTask(task, base), retryAfter(task, now()));
  });

  app.post("/v1/tasks/:id/retry", async (c) => {
    const task = await the(c, "submit", async (owner, id) => {
      refuseWhileDraining(health);
      const task = await store.get(owner, id);
      // The type may have gone since: the task would wait for ever.
      if (task !== undefined) definitionOf(registry, task.type);
      return await store.retry(owner, id);
    });
    return reply(202, renderTask(task, base), {
      location: `/v1/tasks/${task.id}`,
      ...retryAfter(task, now()),
    });
  });

  app.delete("/v1/tasks/:id", async (c) => {
    await the(c, "cancel", async (owner, id) => await store.remove(owner, id) || undefined);
    return replyEmpty(204);
  });

  /** What `verb` answers for the task of the path; a problem where there is no such task. */
  function the<T>(
    c: Context,
    scope: Scope,
    verb: (owner: string, id: string) => Promise<T | undefined>,
  ): Promise<T> {
    const { owner } = admit(c.req.raw, scope);
    return found(store, owner, c.req.param("id"), verb);
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

const TAGS = /"[^"]*"/g;

/** RFC 9110, 13.1.2: any of the listed tags, compared weakly, or `*` alone. */
export function matches(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  const opaque = etag.slice(etag.indexOf('"'));
  return condition.trim() === "*" || (condition.match(TAGS)?.includes(opaque) ?? false);
}
