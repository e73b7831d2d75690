import type { TaskDefinition } from "./define.ts";

/** A task file and what became of it. */
export interface TaskType {
  /** The file's name in kebab-case: `send_email.ts` is `send-email`. */
  readonly type: string;
  /** The file, as a URL. */
  readonly module: string;
  /** Absent where the file could not be loaded. */
  readonly definition: TaskDefinition | undefined;
  /** Why the type cannot be run, in one line. */
  readonly unavailable: string | undefined;
}

/** The task types by name, in the order of their names. */
export type Registry = ReadonlyMap<string, TaskType>;
