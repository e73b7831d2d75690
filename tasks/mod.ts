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
export { parseDuration } from "./lib/duration.ts";
export { type FailureOptions, NonRetryableError, TaskFailure } from "./lib/failure.ts";
