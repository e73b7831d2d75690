import type { Hono } from "hono";
import type { Task } from "../queue/task.ts";
import type { AppDeps } from "./deps.ts";
import { Problem } from "./problem.ts";
import { renderTask, retryAfter } from "./render.ts";
import { reply } from "./reply.ts";
import { taskId } from "./submission.ts";
import { refuseWhileDraining } from "./tasks.ts";
import { DELIVERY } from "./webhooks.ts";

/** A task has one webhook, so it has a delivery for each of its ends and redeliveries: more are of no interest. */
const MOST = 200;

/** What became of a task's webhook: each delivery is a task, whose attempts and log say all there is to say. */
export function mountDeliveries(app: Hono, { store, admit, health, newId, now, base }: AppDeps): void {
  app.get("/v1/tasks/:id/deliveries", async (c) => {
    const { owner } = admit(c.req.raw, "read");
    const task = await found(owner, c.req.param("id"));
    const { tasks } = await store.list(owner, { parent: task.id, types: [DELIVERY], limit: MOST });
    const deliveries = tasks.toReversed().map((delivery) => renderTask(delivery, base)).join(",");
    return reply(200, `{"deliveries":[${deliveries}]}`, { "cache-control": "private, no-cache" });
  });

  app.post("/v1/tasks/:id/deliveries/:delivery/redeliver", async (c) => {
    const { owner } = admit(c.req.raw, "submit");
    refuseWhileDraining(health);
    const task = await found(owner, c.req.param("id"));
    const delivery = await found(owner, c.req.param("delivery"));
    if (delivery.type !== DELIVERY || delivery.extras?.parent !== task.id) {
      throw new Problem("task-not-found");
    }
    const { type, input, priority, maxAttempts, timeout, extras } = delivery;
    // The same input, and so the same `webhook-id`: the receiver knows what it has had.
    const draft = { id: newId(), type, owner, input, priority, maxAttempts, timeout, extras };
    const [again] = await store.enqueue([draft]);
    return reply(202, renderTask(again!.task, base), {
      location: `/v1/tasks/${again!.task.id}`,
      ...retryAfter(again!.task, now()),
    });
  });

  async function found(owner: string, text: string): Promise<Task> {
    const id = taskId(text);
    const task = id === undefined ? undefined : await store.get(owner, id);
    if (task !== undefined) return task;
    const expired = id !== undefined && await store.hasExpired(owner, id);
    throw new Problem(expired ? "task-expired" : "task-not-found");
  }
}
