/**
 * What clients are answered with, as schemas: the OpenAPI document is made of them, and tests hold the answers
 * against them. Nothing is checked by them while the service runs.
 */
import { z } from "zod";
import { STATUSES } from "../queue/task.ts";
import { PROBLEMS } from "./problem.ts";

const Time = z.iso.datetime().describe("RFC 3339, UTC.");
const Id = z.guid();
const Path = z.string().describe("A path on this server.");
const Count = z.int().min(0);
const ProblemCode = z.enum(Object.keys(PROBLEMS) as [keyof typeof PROBLEMS]);

export const Status = z.enum(STATUSES).describe(
  "`scheduled` has a future `runAt`: delayed, or waiting to retry. `succeeded`, `failed` and `cancelled` are final.",
);

export const Progress = z.object({
  current: z.number(),
  total: z.number().optional(),
  message: z.string().optional(),
});

export const TaskError = z.object({
  code: z.string().describe("Such as `handler_error`, `timeout` or `worker_lost`."),
  message: z.string(),
  retryable: z.boolean().describe("Whether the same attempt could succeed when made again."),
  attempt: Count.describe("The attempt that ended so."),
  at: Time,
  details: z.record(z.string(), z.unknown()).optional(),
}).describe("What went wrong in the last attempt; also while the next one is waited for.");

/** What the handler returned; `document.ts` says more of it, from the types' own schemas. */
export const Result = z.unknown();

export const Task = z.object({
  id: Id,
  type: z.string(),
  status: Status,
  progress: Progress.optional(),
  attempt: Count.describe("Attempts begun: 0 until the first."),
  maxAttempts: Count,
  priority: z.int(),
  metadata: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
  version: z.int().min(1).describe("Grows by one with every change."),
  result: Result.optional(),
  error: TaskError.optional(),
  createdAt: Time,
  runAt: Time.optional(),
  startedAt: Time.optional(),
  finishedAt: Time.optional(),
  expiresAt: Time.optional().describe("When the finished task is forgotten."),
  cancelRequestedAt: Time.optional(),
  batch: Id.optional().describe("The batch that it came in."),
  parent: Id.optional().describe("The task that it was made for."),
  uniqueKey: z.string().optional(),
  webhook: z.object({ url: z.string(), events: z.array(z.string()).optional() }).optional(),
  links: z.object({
    self: Path,
    events: Path.optional(),
    result: Path,
    logs: Path,
    cancel: Path,
    retry: Path,
  }),
}).describe("One submitted piece of work. The same everywhere; what is absent is not there yet.");

export const TaskPage = z.object({
  tasks: z.array(Task),
  nextPageToken: z.string().optional().describe("Present where more follow."),
});

export const Logs = z.object({
  lines: z.array(z.object({
    at: Time,
    level: z.enum(["debug", "info", "warn", "error"]),
    message: z.string(),
  })),
});

const JsonSchema = z.unknown().describe("JSON Schema, draft 2020-12.");

export const Types = z.object({
  types: z.array(z.object({
    type: z.string(),
    description: z.string().optional(),
    available: z.boolean(),
    unavailable: z.string().optional().describe("Why it is not available."),
    isolation: z.enum(["shared", "process", "fresh"]).optional(),
    concurrency: Count.optional(),
    timeout: z.string().optional(),
    maxAttempts: Count.optional(),
    input: JsonSchema.optional(),
    result: JsonSchema.optional(),
  })),
});

const Counts = z.object({
  scheduled: Count,
  queued: Count,
  running: Count,
  succeeded: Count,
  failed: Count,
  cancelled: Count,
});

export const Stats = z.object({
  counts: Counts,
  types: z.record(z.string(), Counts),
  finished: Count.optional().describe(
    "Tasks of everybody that reached a final status since the start; not for every key.",
  ),
});

export const Alive = z.object({ status: z.literal("ok") });

export const Readiness = z.object({
  status: z.enum(["ok", "unavailable"]),
  problems: z.array(z.string()).optional().describe("Why it is not ready."),
  notices: z.array(z.string()).optional().describe("Promises that are off by configuration."),
});

export const Problem = z.object({
  type: z.string().describe("A page that says what the problem means: `/problems/{code}`."),
  title: z.string(),
  status: z.int(),
  detail: z.string().optional(),
  instance: z.string().describe("The path of the request."),
  code: ProblemCode,
  requestId: z.string().describe("`X-Request-Id`, as it was sent or made up."),
  errors: z.array(z.object({
    pointer: z.string().describe("A JSON Pointer as a URI fragment, such as `#/input/to/0`."),
    detail: z.string(),
  })).optional().describe("Every wrong place in the request's body."),
}).describe("RFC 9457.");

export const File = z.object({
  id: Id,
  size: Count.describe("Bytes."),
  contentType: z.string(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string().optional(),
  createdAt: Time,
  links: z.object({ self: Path, task: Path.optional() }),
}).describe("What is too large for JSON; it never changes.");

export const AcceptedBatch = z.object({
  batch: Id.optional().describe(
    "Absent where every task is another's, by its unique key or id, that is in none.",
  ),
  tasks: z.array(Task).describe("In the order in which they were sent."),
});

export const Batch = z.object({
  id: Id,
  size: Count.describe("Its tasks at the beginning."),
  counts: Counts.describe("Its tasks that are still known, by status."),
  createdAt: Time,
  finishedAt: Time.optional().describe("When the last of them ended; absent while one has not."),
  then: Id.optional().describe("The task that followed, once it is there."),
  links: z.object({ self: Path, events: Path, tasks: Path, then: Path.optional() }),
});

export const Deliveries = z.object({
  deliveries: z.array(Task).describe("Oldest first. Each is a task of the type `deliver-webhook`."),
});

export const ProblemMeaning = z.object({
  type: z.string(),
  code: ProblemCode,
  status: z.int(),
  title: z.string(),
  meaning: z.string(),
  remedy: z.string().describe("What to do."),
  retry: z.enum(["never", "changed", "later", "now"]).describe(
    "Whether to send the request again: `now`, `later` (after `Retry-After`, if given), `changed`, or `never`.",
  ),
});

export const ProblemMeanings = z.object({ problems: z.array(ProblemMeaning) });

export const Index = z.object({
  name: z.literal("Errand"),
  links: z.record(z.string(), Path),
});

/** Those that the document names, under these names. */
export const NAMED: Readonly<Record<string, z.ZodType>> = {
  Task,
  Status,
  Progress,
  TaskError,
  Result,
  TaskPage,
  Logs,
  Types,
  Counts,
  Stats,
  Alive,
  Readiness,
  Problem,
  File,
  AcceptedBatch,
  Batch,
  Deliveries,
  ProblemMeaning,
  ProblemMeanings,
  Index,
};
