import type { Command, Dialect } from "./sql.ts";
import type { Isolation } from "./statements.ts";
import { type DatabaseAddress } from "./url.ts";

export type Row = Record<string, unknown>;

/** A command with what is bound to its places. */
export interface Call {
  readonly command: Command;
  /** JSON values; a list or an object goes as JSON, or as an array where Postgres wants one. */
  readonly values: readonly unknown[];
  /** Where the input has the values, for whoever reads what went wrong: `rows.3`. */
  readonly at?: string;
  /** Is given each row that comes back, as JSON; where it throws, the call fails with that. */
  readonly take?: (row: Row) => void;
}

/** All that is done in it is done, or nothing. */
export interface Transaction {
  /**
   * Carries out the calls in their order.
   *
   * @returns how many rows they touched or answered
   * @throws {TaskFailure} of the first call that failed; those after it were not done
   */
  execute(calls: readonly Call[]): Promise<number>;
}

export interface TransactionOptions {
  /** Its abort reaches the database. */
  readonly signal: AbortSignal;
  /** Milliseconds of one command. */
  readonly timeout: number;
  readonly isolation: Isolation;
}

export interface Database {
  readonly dialect: Dialect;
  /**
   * Commits what `work` did where it resolves, else nothing of it.
   *
   * @throws {TaskFailure} `database_error`, `database_busy`, `connect_failure` …
   * @throws the signal's reason
   */
  transaction<T>(options: TransactionOptions, work: (transaction: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Loads what it takes; connects with the first transaction. */
export async function openDatabase(address: DatabaseAddress): Promise<Database> {
  if (address.kind === "sqlite") return (await import("./sqlite.ts")).openSqlite(address);
  return await (await import("./postgres.ts")).openPostgres(address);
}

/** A server's words as one short line. */
export function line(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+/gu, " ").trim().slice(0, 300);
}

/** Numbers that JSON cannot hold exactly become text. */
export function exact(value: number | bigint): number | string {
  const number = Number(value);
  if (typeof value === "bigint") return Number.isSafeInteger(number) ? number : `${value}`;
  return Number.isFinite(number) ? number : `${value}`;
}
