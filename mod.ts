/** The library's face: what a task file or an embedding program imports as `errand`. */
export { defineTask, NonRetryableError, TaskFailure } from "./tasks/mod.ts";
export type { Permissions, TaskContext, TaskDefinition, TaskLog, TaskOptions } from "./tasks/mod.ts";
