import { setTimeout } from "node:timers/promises";
import { TaskFailure } from "../failure.ts";
import type { TaskContext } from "../define.ts";
import type { Call, Database, Row, Transaction } from "./database.ts";
import { compile } from "./sql.ts";
import type { Statement } from "./statements.ts";

/** What a task is to do. */
export interface Work {
  readonly statement: Statement;
  /** One row of parameters for each time that the statement is carried out. Asked for anew by each try. */
  readonly rows: () => Iterable<Row> | AsyncIterable<Row>;
  /** How many they are, where that is known. */
  readonly total: number | undefined;
  /** How the input names its n-th row, for whoever has to correct it. */
  readonly where: (index: number) => string;
  /** Tells this work from another that a task of the same id did: ids may be chosen by clients. */
  readonly digest: string;
}

export interface Outcome {
  /** How many rows the database touched or, for commands that answer some, answered. */
  rowCount: number;
  rows?: Row[];
}

type Context = Pick<TaskContext<unknown>, "id" | "signal" | "progress" | "log">;

/** Rows that go to the database at once; between two lists a cancel is heard. */
const BATCH = 100;
/** Of one attempt, where other transactions are in the way. */
const TRIES = 5;
const PAUSE_BASE = 25;
/** Of a result: it has to fit into what a task may answer. */
const ROWS_MAX = 1_000;
const CHARACTERS_MAX = 900_000;

/**
 * Carries out a statement for all its rows in one transaction.
 *
 * @throws {TaskFailure} `invalid_input` naming the field, `result_too_large`, or what the database says
 */
export async function carryOut(database: Database, work: Work, context: Context): Promise<Outcome> {
  const { timeout, isolation, once } = work.statement;
  const { signal } = context;
  for (let tries = 1;; tries++) {
    try {
      return await database.transaction({ signal, timeout, isolation }, async (transaction) => {
        if (!once) return await apply(transaction, work, context);
        return await applyOnce(database, transaction, work, context);
      });
    } catch (error) {
      if (tries >= TRIES) throw error;
      if (error === TABLE_MISSING) await createTable(database, signal);
      else if (!isBusy(error)) throw error;
      else await setTimeout(Math.random() * PAUSE_BASE * 2 ** tries, undefined, { signal });
    }
  }
}

const isBusy = (error: unknown) => error instanceof TaskFailure && error.code === "database_busy";

async function apply(transaction: Transaction, work: Work, { signal, progress }: Context): Promise<Outcome> {
  const { statement, total } = work;
  const rows: Row[] = [];
  const take = statement.returnsRows ? collector(rows) : undefined;
  let rowCount = 0;
  let done = 0;
  let batch: Call[] = [];
  const flush = async () => {
    signal.throwIfAborted();
    rowCount += await transaction.execute(batch);
    batch = [];
    if (total !== undefined) progress(done, total);
  };
  for await (const row of work.rows()) {
    batch.push(...callsFor(statement, row, work.where(done), take));
    done++;
    // The first goes alone: after it the database knows the commands, and the others follow without waiting for it.
    if (done === 1 || done % BATCH === 0) await flush();
  }
  if (batch.length > 0) await flush();
  return { rowCount, ...(take && { rows }) };
}

function callsFor(
  { commands, names }: Statement,
  row: Row,
  at: string,
  take: Call["take"],
): Call[] {
  const invalid = (name: string, why: string) => new TaskFailure("invalid_input", `${at}.${name}: ${why}`);
  for (const name of names) if (!Object.hasOwn(row, name)) throw invalid(name, "is missing");
  for (const name of Object.keys(row)) if (!names.includes(name)) throw invalid(name, "is no parameter");
  return commands.map((command, order) => ({
    command,
    values: command.names.map((name) => row[name]),
    at,
    ...(take && order === commands.length - 1 && { take }),
  }));
}

/** Keeps rows as long as they fit into a result. */
function collector(rows: Row[]): (row: Row) => void {
  let characters = 0;
  return (row) => {
    characters += JSON.stringify(row).length + 1;
    if (rows.length === ROWS_MAX || characters > CHARACTERS_MAX) {
      const most = `${ROWS_MAX} rows and ${CHARACTERS_MAX} characters are allowed`;
      throw new TaskFailure("result_too_large", `The statement answers too much: ${most}.`);
    }
    rows.push(row);
  };
}

// The task's mark is set in the transaction that does its work: there are both, or neither. Another attempt that is
// still at work, such as one whose runner has died unnoticed, is waited for by the primary key.
const TABLE = `create table if not exists errand_once (
  task varchar(64) primary key, digest varchar(64) not null, outcome text, at timestamptz not null default current_timestamp
)`;
const EXISTS = {
  postgres: "select 1 where to_regclass('errand_once') is not null",
  sqlite: "select 1 from sqlite_master where type = 'table' and name = 'errand_once'",
};
const MARK = "insert into errand_once (task, digest) values (:task, :digest) on conflict (task) do nothing";
const LOOK = "select digest, outcome from errand_once where task = :task";
const KEEP = "update errand_once set outcome = :outcome where task = :task";

const TABLE_MISSING = new Error("The table errand_once is missing.");

async function applyOnce(
  { dialect }: Database,
  transaction: Transaction,
  work: Work,
  context: Context,
): Promise<Outcome> {
  const own = (sql: string, row: Row = {}, take?: Call["take"]) => {
    const [command] = compile(sql, dialect);
    return transaction.execute([{
      command: command!,
      values: command!.names.map((name) => row[name]),
      take,
    }]);
  };
  const { id: task } = context;
  const { digest } = work;
  if (await own(EXISTS[dialect]) === 0) throw TABLE_MISSING;
  if (await own(MARK, { task, digest }) === 0) {
    let kept: Row = {};
    await own(LOOK, { task }, (row) => kept = row);
    if (kept.digest !== digest) {
      throw new TaskFailure("invalid_input", "id: a task of this id has done something else already");
    }
    context.log.info("An earlier attempt has done this; it is not done again.");
    return JSON.parse(`${kept.outcome}`);
  }
  const outcome = await apply(transaction, work, context);
  await own(KEEP, { task, outcome: JSON.stringify(outcome) });
  return outcome;
}

async function createTable(database: Database, signal: AbortSignal): Promise<void> {
  const [command] = compile(TABLE, database.dialect);
  const options = { signal, timeout: 10_000, isolation: "read committed" } as const;
  try {
    await database.transaction(
      options,
      (transaction) => transaction.execute([{ command: command!, values: [] }]),
    );
  } catch (error) {
    // Postgres: two that create it at once are told so as an error (unique_violation in its catalogue).
    const already = error instanceof TaskFailure && error.details?.sqlState === "23505";
    if (!already) throw error;
  }
}
