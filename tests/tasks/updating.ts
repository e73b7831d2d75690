import type { Database } from "../../tasks/lib/database/database.ts";
import definition from "../../tasks/update_database.ts";
import type { TaskContext } from "../../tasks/mod.ts";
import { contextFor, perform, type Traces } from "./context.ts";

/** A task's result. */
export interface Updated {
  rowCount: number;
  rows?: Record<string, unknown>[];
}

export type Context = TaskContext<unknown> & Traces;

/** Runs one task in the worker. */
export type Update = (
  input: Record<string, unknown>,
  options?: Partial<TaskContext>,
) => Promise<Updated & { context: Context }>;

/** A worker for this database and these statements: its `setup` once, and then any number of tasks. */
export async function withWorker(
  url: string | undefined,
  statements: string | undefined,
  test: (update: Update) => Promise<void>,
): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".sql" });
  if (statements !== undefined) await Deno.writeTextFile(file, statements);
  const env = { DATABASE_URL: url, STATEMENTS_FILE: statements === undefined ? undefined : file };
  const before = Object.keys(env).map((name) => [name, Deno.env.get(name)] as const);
  const set = (name: string, value: string | undefined) =>
    value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  for (const [name, value] of Object.entries(env)) set(name, value);
  const controller = new AbortController();
  let database: Database | undefined;
  try {
    const setup = await definition.setup?.({ signal: controller.signal });
    database = (setup as { database: Database } | undefined)?.database;
    await test(async (input, options) => {
      const context = contextFor({ ...options, setup });
      return { ...await perform(definition, input, context) as Updated, context };
    });
  } finally {
    controller.abort();
    await database?.close();
    for (const [name, value] of before) set(name, value);
    await Deno.remove(file);
  }
}

/** What a failed task says. */
export const failing =
  (code: string, message?: RegExp, details?: Record<string, unknown>) => (error: unknown) => {
    const failure = error as { code?: string; message: string; details?: Record<string, unknown> };
    if (failure.code !== code) throw error;
    if (message && !message.test(failure.message)) throw error;
    return Object.entries(details ?? {}).every(([name, value]) => failure.details?.[name] === value);
  };
