import type { Hono } from "hono";
import type { AppDeps } from "../deps.ts";
import { renderBatch } from "../batches.ts";
import { Feed } from "./feed.ts";
import { BatchSubject, OwnerSubject } from "./many_subjects.ts";
import { TaskSubject } from "./task_subject.ts";
import { found } from "../found.ts";
import { Problem } from "../problem.ts";
import { countsOf } from "../stats.ts";
import { taskId } from "../submission.ts";

/** Streams of server-sent events: of a task, of a batch, and of all of one's tasks. */
export function mountEvents(app: Hono, deps: AppDeps): void {
  const { store, admit, base = "" } = deps;
  const feed = new Feed({ ...deps, streamsMax: deps.limits.streamsMax });

  app.get("/v1/tasks/:id/events", (c) => {
    const caller = admit(c.req.raw, "read");
    const id = c.req.param("id");
    const read = () => found(store, caller.owner, id, (owner, id) => store.logs(owner, id));
    return feed.answer(c.req.raw, caller, new TaskSubject(caller.owner, id.toLowerCase(), read, base));
  });

  app.get("/v1/batches/:id/events", (c) => {
    const caller = admit(c.req.raw, "read");
    const id = taskId(c.req.param("id")) ?? "";
    const read = async () => {
      const batch = await store.batch(caller.owner, id);
      if (batch === undefined) throw new Problem("batch-not-found");
      return batch;
    };
    const render = (batch: Awaited<ReturnType<typeof read>>) => renderBatch(batch, base);
    return feed.answer(c.req.raw, caller, new BatchSubject(feed.journal, caller.owner, id, read, render));
  });

  app.get("/v1/events", (c) => {
    const caller = admit(c.req.raw, "read");
    const read = async () => JSON.stringify(countsOf(await store.counts(caller.owner)));
    return feed.answer(c.req.raw, caller, new OwnerSubject(feed.journal, caller.owner, read));
  });
}
