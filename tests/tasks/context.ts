import type { Checkpoint, TaskContext, TaskDefinition } from "../../tasks/mod.ts";

/** What a run left behind besides its result. */
export interface Traces {
  logged: string[];
  progressed: { current: number; total: number | undefined; message: string | undefined }[];
}

/** What the attempts of one task remember, without a store. */
export class Memory implements Checkpoint {
  saved: unknown;
  /** How often something was saved. */
  saves = 0;
  readonly last: unknown;
  constructor(last?: unknown) {
    this.last = this.saved = last;
  }
  save(value: unknown): Promise<void> {
    this.saves++;
    this.saved = JSON.parse(JSON.stringify(value));
    return Promise.resolve();
  }
  /** For the next attempt. */
  next(): Memory {
    return new Memory(this.saved);
  }
}

/** A real context, as a worker would make one, and what the handler did with it. */
export function contextFor(
  options: Partial<TaskContext<unknown>> = {},
): TaskContext<unknown> & Traces {
  const logged: string[] = [];
  const progressed: Traces["progressed"] = [];
  const write = (level: string) => (message: string) => void logged.push(`${level}: ${message}`);
  return {
    id: crypto.randomUUID(),
    attempt: 1,
    signal: new AbortController().signal,
    setup: undefined,
    checkpoint: new Memory(),
    get files(): never {
      throw new TypeError("No files here.");
    },
    log: { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") },
    ...options,
    progress: (current, total, message) => void progressed.push({ current, total, message }),
    progressed,
    logged,
  };
}

/** What a worker does: validates, runs, and checks the result. */
export async function perform(
  definition: TaskDefinition,
  input: unknown,
  context: TaskContext<unknown>,
): Promise<unknown> {
  const result = await definition.run(definition.input.parse(input), context);
  return definition.result ? definition.result.parse(result) : result;
}
