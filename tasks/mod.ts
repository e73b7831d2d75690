/** What a task file imports: how a type is defined, and how it says what went wrong. */
export { defineTask, isTaskDefinition } from "./lib/define.ts";
export type {
  PermissionContext,
  Permissions,
  TaskContext,
  TaskDefinition,
  TaskLog,
  TaskOptions,
} from "./lib/define.ts";
export { type Checkpoint, CHECKPOINT_MAX } from "./lib/checkpoint.ts";
export { parseDuration } from "./lib/duration.ts";
export { filesNamedIn, isFileId, madeFile } from "./lib/files.ts";
export type { FileContent, FileOptions, GivenFile, MadeFile, TaskFiles } from "./lib/files.ts";
export { AllowList, parseAllowList } from "./lib/egress/allow.ts";
export { type Fetched, type FetchOptions, guardedFetch } from "./lib/egress/fetch.ts";
export { retryAfterOf } from "./lib/egress/retry_after.ts";
export { target, targetFlaw } from "./lib/egress/target.ts";
export { deniedTargets } from "./lib/egress/wall.ts";
export { type FailureOptions, NonRetryableError, TaskFailure } from "./lib/failure.ts";
