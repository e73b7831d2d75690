import { json, type Operation, ref } from "./operation.ts";
import { IDEMPOTENCY_KEY, PREFER_WAIT, TASK_FILTER, TRACEPARENT } from "./parameters.ts";

/** What can be wrong with any body of JSON. */
export const BODY_PROBLEMS = [
  "malformed-json",
  "invalid-encoding",
  "payload-too-deep",
  "request-timeout",
  "length-required",
  "body-too-large",
  "unsupported-media-type",
  "validation-failed",
] as const;

/** What can be in the way of a new task. */
export const SUBMISSION_PROBLEMS = [
  ...BODY_PROBLEMS,
  "unique-conflict",
  "unknown-task-type",
  "queue-full",
  "draining",
  "type-unavailable",
  "target-not-allowed",
] as const;

export const IDEMPOTENCY_PROBLEMS = [
  "invalid-idempotency-key",
  "idempotency-in-progress",
  "idempotency-key-reused",
  "task-expired",
] as const;

export const TASKS: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/tasks",
    id: "submitTask",
    tag: "tasks",
    summary: "Submit a task",
    description:
      "Answered as soon as the task is kept. With `Prefer: wait=N` the answer waits for the task's end.",
    parameters: [IDEMPOTENCY_KEY, PREFER_WAIT, TRACEPARENT],
    body: { content: { "application/json": ref("Submission") } },
    answers: {
      200: {
        description: "With `wait`, and the task has ended in time, well or not.",
        headers: ["Location", "Preference-Applied", "Vary", "Idempotency-Replayed?", "Errand-Existing?"],
        content: json("Task"),
      },
      202: {
        description: "Accepted. A repeat is answered so, too, with `Idempotency-Replayed`.",
        headers: [
          "Location",
          "Retry-After?",
          "Idempotency-Replayed?",
          "Errand-Existing?",
          "Preference-Applied?",
          "Vary?",
        ],
        content: json("Task"),
      },
    },
    problems: [...SUBMISSION_PROBLEMS, ...IDEMPOTENCY_PROBLEMS],
  },
  {
    method: "get",
    path: "/v1/tasks",
    id: "listTasks",
    tag: "tasks",
    summary: "List tasks, newest first",
    parameters: TASK_FILTER,
    answers: {
      200: { description: "A page of them.", headers: ["Cache-Control", "Link?"], content: json("TaskPage") },
    },
    problems: ["validation-failed"],
  },
];
