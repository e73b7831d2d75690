import { json, type Operation, ref } from "./operation.ts";
import { IDEMPOTENCY_KEY, PREFER_WAIT } from "./parameters.ts";
import { IDEMPOTENCY_PROBLEMS, SUBMISSION_PROBLEMS } from "./tasks.ts";

export const BATCHES: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/tasks/batch",
    id: "submitBatch",
    tag: "batches",
    summary: "Submit many tasks at once: all of them or none",
    description:
      "A fault is named by its place: `#/tasks/1/input/ms`. `then` is a task that follows when all have " +
      "ended, however they ended; with it no task of the batch may have a `uniqueKey` that answers another task in " +
      "its place (`onConflict: return`).",
    parameters: [IDEMPOTENCY_KEY],
    body: { content: { "application/json": ref("NewBatch") } },
    answers: {
      202: {
        description: "All are accepted.",
        headers: ["Location?", "Idempotency-Replayed?"],
        content: json("AcceptedBatch"),
      },
    },
    problems: [...SUBMISSION_PROBLEMS, ...IDEMPOTENCY_PROBLEMS],
  },
  {
    method: "get",
    path: "/v1/batches/{id}",
    id: "getBatch",
    tag: "batches",
    summary: "How far a batch is, or wait for its end",
    parameters: [PREFER_WAIT],
    answers: {
      200: {
        description: "Its tasks, counted by status.",
        headers: ["Cache-Control", "Retry-After?", "Preference-Applied?", "Vary?"],
        content: json("Batch"),
      },
    },
    problems: ["batch-not-found"],
  },
];
