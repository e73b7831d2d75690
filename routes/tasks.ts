import type { Hono } from "hono";
import type { Together } from "../queue/store.ts";
import { isFinal } from "../queue/task.ts";
import { stillAdmitted } from "./admit.ts";
import { BodyReader } from "./body.ts";
import { type AppDeps, RETRY_AFTER } from "./deps.ts";
import { Idempotency } from "./idempotency.ts";
import { parseJson } from "./json.ts";
import { Problem } from "./problem.ts";
import { renderTask, retryAfter } from "./render.ts";
import { reply } from "./reply.ts";
import { Submissions } from "./submission.ts";

/** `POST /v1/tasks`: the hot path. Nothing stands between the router and this handler. */
export function mountTasks(app: Hono, deps: AppDeps): void {
  const { store, limits, admit, health, waiters, now, base } = deps;
  const bodies = new BodyReader(limits);
  const submissions = new Submissions(deps);
  const idempotency = new Idempotency(store, limits.idempotencyKept, now);

  app.post("/v1/tasks", async (c) => {
    const request = c.req.raw;
    const caller = admit(request, "submit");
    const { owner } = caller;
    refuseWhileDraining(health);
    const { headers } = request;
    const text = await bodies.text(request);
    stillAdmitted(caller);
    const accept = async (together?: Together) => {
      const draft = await submissions.draft(parseJson(text, limits), { caller, headers });
      return await store.enqueue([draft], together);
    };
    const key = headers.get("idempotency-key");
    const [enqueued] = key === null
      ? await accept()
      : await idempotency.once(key, owner, text, (idempotency) => accept({ idempotency }));
    const { task, replayed, existing } = enqueued!;
    const answer: Record<string, string> = { location: `/v1/tasks/${task.id}` };
    if (replayed) answer["idempotency-replayed"] = "true";
    // Its unique key is another task's, which is the answer.
    if (existing) answer["errand-existing"] = "true";
    const { found, headers: waited } = await waiters.look(request, caller, {
      id: task.id,
      known: task,
      read: () => store.get(owner, task.id),
      done: (now) => now === undefined || isFinal(now.status),
    });
    const last = found ?? task;
    Object.assign(answer, waited, retryAfter(last, now()));
    const ended = waited["preference-applied"] !== undefined && isFinal(last.status);
    return reply(ended ? 200 : 202, renderTask(last, base), answer);
  });
}

export function refuseWhileDraining(health: AppDeps["health"]): void {
  if (!health.draining()) return;
  throw new Problem("draining", undefined, { headers: { "retry-after": String(RETRY_AFTER.draining) } });
}
