import { json, type Operation } from "./operation.ts";

/** What became of a task's webhooks. */
export const DELIVERIES: readonly Operation[] = [
  {
    method: "get",
    path: "/v1/tasks/{id}/deliveries",
    id: "listDeliveries",
    tag: "events",
    summary: "What became of a task's webhooks",
    answers: {
      200: { description: "Oldest first.", headers: ["Cache-Control"], content: json("Deliveries") },
    },
    problems: ["task-not-found", "task-expired"],
  },
  {
    method: "post",
    path: "/v1/tasks/{id}/deliveries/{delivery}/redeliver",
    id: "redeliver",
    tag: "events",
    summary: "Deliver a webhook once more",
    description: "A new delivery with the same `webhook-id`: a receiver that has had it knows.",
    answers: {
      202: { description: "The new delivery.", headers: ["Location", "Retry-After?"], content: json("Task") },
    },
    problems: ["task-not-found", "task-expired", "queue-full", "draining"],
  },
];
