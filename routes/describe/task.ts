import { DOWNLOAD } from "./files.ts";
import { json, type Operation, ref } from "./operation.ts";
import { IF_NONE_MATCH, PREFER_WAIT } from "./parameters.ts";

const ABSENT = ["task-not-found", "task-expired"] as const;

export const TASK: readonly Operation[] = [
  {
    method: "get",
    path: "/v1/tasks/{id}",
    id: "getTask",
    tag: "tasks",
    summary: "Read a task, or wait for it",
    description: "200 also where the task has failed: its `status` and `error` tell.",
    parameters: [IF_NONE_MATCH, PREFER_WAIT],
    answers: {
      200: {
        description: "The task.",
        headers: ["ETag", "Cache-Control", "Retry-After?", "Preference-Applied?", "Vary?"],
        content: json("Task"),
      },
      304: {
        description: "It is still the version that one has.",
        headers: ["ETag", "Cache-Control", "Retry-After?", "Preference-Applied?", "Vary?"],
      },
    },
    problems: ABSENT,
  },
  {
    method: "delete",
    path: "/v1/tasks/{id}",
    id: "deleteTask",
    tag: "tasks",
    summary: "Forget a finished task with all that belongs to it",
    answers: { 204: { description: "It is gone: input, result, files and logs." } },
    problems: [...ABSENT, "task-not-finished"],
  },
  {
    method: "get",
    path: "/v1/tasks/{id}/result",
    id: "getResult",
    tag: "tasks",
    summary: "The result itself",
    description: "Where the result is a file, it is the file, in its own type.",
    parameters: DOWNLOAD.parameters,
    answers: {
      200: {
        description: "What the handler returned.",
        headers: ["Cache-Control", "ETag?", "Accept-Ranges?", "Content-Disposition?"],
        content: { "application/json": ref("Result"), "*/*": {} },
      },
      ...DOWNLOAD.answers,
    },
    problems: [...ABSENT, "result-not-ready", "file-not-found", ...DOWNLOAD.problems],
  },
  {
    method: "get",
    path: "/v1/tasks/{id}/logs",
    id: "getLogs",
    tag: "tasks",
    summary: "What the attempts have logged last",
    answers: { 200: { description: "Oldest first.", headers: ["Cache-Control"], content: json("Logs") } },
    problems: ABSENT,
  },
  {
    method: "post",
    path: "/v1/tasks/{id}/cancel",
    id: "cancelTask",
    tag: "tasks",
    summary: "Cancel a task",
    description: "Repeating is harmless.",
    answers: {
      200: { description: "It is cancelled.", content: json("Task") },
      202: {
        description: "It was running: its handler is being stopped.",
        headers: ["Retry-After"],
        content: json("Task"),
      },
    },
    problems: [...ABSENT, "task-already-finished"],
  },
  {
    method: "post",
    path: "/v1/tasks/{id}/retry",
    id: "retryTask",
    tag: "tasks",
    summary: "Run a failed or cancelled task again",
    description: "The same id, attempts anew.",
    answers: {
      202: { description: "It is queued.", headers: ["Location", "Retry-After"], content: json("Task") },
    },
    problems: [
      ...ABSENT,
      "task-already-finished",
      "task-not-finished",
      "unknown-task-type",
      "queue-full",
      "draining",
      "type-unavailable",
    ],
  },
];
