import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { setImmediate, setTimeout } from "node:timers/promises";
import { TaskFailure } from "../failure.ts";
import { type Call, type Database, exact, line, type Row } from "./database.ts";
import type { SqliteAddress } from "./url.ts";

/** Milliseconds that a transaction waits for another process to be done with the file. */
const PATIENCE = 2_000;
const LOOK_EVERY = 10;

/**
 * A file. SQLite works in this thread: between two lists of calls the thread hears of a cancel, and a command that takes
 * longer than that is ended together with its runner; what it did is undone by whoever opens the file next.
 */
export function openSqlite({ path }: SqliteAddress): Database {
  const idle: Session[] = [];
  return {
    dialect: "sqlite",
    async transaction({ signal, timeout }, work) {
      signal.throwIfAborted();
      const session = idle.pop() ?? await open(path);
      try {
        await patiently(() => session.database.exec("begin immediate"), signal);
        const answer = await work({ execute: (calls) => execute(session, calls, timeout) });
        signal.throwIfAborted();
        await patiently(() => session.database.exec("commit"), signal);
        return answer;
      } catch (error) {
        if (session.database.isTransaction) session.database.exec("rollback");
        throw signal.aborted ? signal.reason : failureOf(error);
      } finally {
        idle.push(session);
      }
    },
    close() {
      for (const { database } of idle.splice(0)) database.close();
      return Promise.resolve();
    },
  };
}

/** A connection; one transaction at a time has it. */
interface Session {
  readonly database: DatabaseSync;
  readonly prepared: Map<string, StatementSync>;
}

async function open(path: string): Promise<Session> {
  try {
    // SQLite would make a file, and the mistake would show in a table that is missing.
    await Deno.stat(path);
    // Without a time to wait: it would wait in this thread.
    return { database: new DatabaseSync(path, { timeout: 0 }), prepared: new Map() };
  } catch (cause) {
    const why = cause instanceof Deno.errors.NotFound ? "there is no such file" : "it cannot be opened";
    throw new TaskFailure("connect_failure", `No database at DATABASE_URL: ${why}.`, { cause });
  }
}

async function execute(session: Session, calls: readonly Call[], timeout: number): Promise<number> {
  let count = 0;
  for (const call of calls) {
    const begun = performance.now();
    try {
      count += carryOut(session, call);
    } catch (error) {
      throw failureOf(error, call.at);
    }
    if (performance.now() - begun > timeout) {
      const details = call.at ? { at: call.at } : undefined;
      throw new TaskFailure("upstream_timeout", `It took longer than ${timeout} ms.`, {
        retryable: true,
        details,
      });
    }
  }
  // A cancel, or another transaction of this thread, has its turn.
  await setImmediate();
  return count;
}

function carryOut({ database, prepared }: Session, { command, values, take }: Call): number {
  let statement = prepared.get(command.text);
  if (!statement) {
    statement = database.prepare(command.text);
    statement.setReadBigInts(true);
    prepared.set(command.text, statement);
  }
  const bound = values.map(bindable);
  // The changes of a command that answers rows would be those of the one before it.
  if (statement.columns().length === 0) return Number(statement.run(...bound).changes);
  let count = 0;
  for (const row of statement.iterate(...bound)) {
    count++;
    take?.(jsonOf(row as Row));
  }
  return count;
}

function bindable(value: unknown): SQLInputValue {
  if (value === null || typeof value === "string") return value;
  // A whole number goes in as one, not as 1.0.
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  return JSON.stringify(value);
}

function jsonOf(row: Row): Row {
  for (const [name, value] of Object.entries(row)) {
    if (typeof value === "bigint" || typeof value === "number") row[name] = exact(value);
    // As Postgres writes bytes.
    else if (value instanceof Uint8Array) row[name] = `\\x${value.toHex()}`;
  }
  return row;
}

/** Waits, without holding up the thread, until no other process is in the way. */
async function patiently(action: () => void, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (true) {
    try {
      return action();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw error;
    }
    await setTimeout(LOOK_EVERY, undefined, { signal });
  }
}

/** Deno gives SQLite's words, and not its codes. */
const isBusy = (error: unknown) => error instanceof Error && /^database .*is locked/.test(error.message);

function failureOf(error: unknown, at?: string): unknown {
  const { code, message } = error as { code?: string; message: string };
  if (error instanceof TaskFailure || code !== "ERR_SQLITE_ERROR") return error;
  const fail = (kind: string, text: string, retryable: boolean) =>
    new TaskFailure(kind, text, { retryable, cause: error, ...(at && { details: { at } }) });
  if (isBusy(error)) {
    return fail("database_busy", `Another transaction was in the way: ${line(message)}`, true);
  }
  if (/unable to open|not a database/.test(message)) {
    return fail("connect_failure", `No database at DATABASE_URL: ${line(message)}`, false);
  }
  return fail("database_error", `The database refused it: ${line(message)}`, false);
}
