import { type Operation, TEXT } from "./operation.ts";
import { LAST_EVENT_ID } from "./parameters.ts";

const STREAM = {
  description: "The events; a comment every 15 seconds where there are none.",
  headers: ["Cache-Control", "X-Accel-Buffering"],
  content: { "text/event-stream": TEXT },
} as const;
const OVER = { description: "The last event has been sent: do not come back." };

/** Streams of server-sent events, as WHATWG's HTML standard has them. */
export const EVENTS: readonly Operation[] = [
  {
    method: "get",
    path: "/v1/tasks/{id}/events",
    id: "streamTask",
    tag: "events",
    summary: "Follow a task",
    description: "`task.updated`, `task.progress` and `task.log`, then `task.succeeded`, `task.failed` or " +
      "`task.cancelled`. The data is the task, or of a log the line. Without `Last-Event-ID`, or where the gap " +
      "behind it is too large, the stream begins with the log as far as it is kept and the task as it is.",
    parameters: [LAST_EVENT_ID],
    answers: { 200: STREAM, 204: OVER },
    problems: ["task-not-found", "task-expired", "rate-limited"],
  },
  {
    method: "get",
    path: "/v1/batches/{id}/events",
    id: "streamBatch",
    tag: "events",
    summary: "Follow a batch",
    description: "Begins with `batch.updated`, goes on with the events of all its tasks, and ends with " +
      "`batch.finished`. After a gap that is too large it begins anew.",
    parameters: [LAST_EVENT_ID],
    answers: { 200: STREAM, 204: OVER },
    problems: ["batch-not-found", "rate-limited"],
  },
  {
    method: "get",
    path: "/v1/events",
    id: "streamTasks",
    tag: "events",
    summary: "Follow all of one's tasks",
    description:
      "Begins with `tasks.counted`: how many there are, whose list is to be read then. After a gap that is too " +
      "large it begins anew.",
    parameters: [LAST_EVENT_ID],
    answers: { 200: STREAM },
    problems: ["rate-limited"],
  },
];
