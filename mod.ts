/**
 * The library's face: what a task file, an embedding program or a client imports as `errand`. In runners, where task
 * files run, `errand` is `tasks/mod.ts` alone: they load nothing of the service.
 */
export { defineTask, madeFile, NonRetryableError, TaskFailure } from "./tasks/mod.ts";
export type { GivenFile, MadeFile, TaskFiles } from "./tasks/mod.ts";
export type { Permissions, TaskContext, TaskDefinition, TaskLog, TaskOptions } from "./tasks/mod.ts";
export { ConfigError } from "./config.ts";
export { createErrand, type EmbeddedErrand } from "./embed.ts";
export type { ErrandOptions } from "./options.ts";
export * from "./client/mod.ts";
