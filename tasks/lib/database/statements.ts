import { parseDuration } from "../duration.ts";
import { type Command, compile, type Dialect } from "./sql.ts";

/** What a client may ask for by its name: SQL that the operator wrote. */
export interface Statement {
  readonly name: string;
  /** Carried out in this order for each row, all in one transaction. */
  readonly commands: readonly Command[];
  /** Its parameters, without repetition. */
  readonly names: readonly string[];
  /** A task applies it once, however often it is tried. */
  readonly once: boolean;
  /** The task's result has the rows that the last command answers. */
  readonly returnsRows: boolean;
  /** Milliseconds that one command may take. */
  readonly timeout: number;
  readonly isolation: Isolation;
}

const ISOLATIONS = ["read committed", "repeatable read", "serializable"] as const;
export type Isolation = (typeof ISOLATIONS)[number];

export const STATEMENT_NAME = /^[A-Za-z0-9][\w-]{0,99}$/;
const HEAD = /^\s*--\s*name\s*:\s*(.*?)\s*$/;
const NOTE = /^--\s*([a-z]+)(?:\s*:\s*(.*?))?\s*$/;
const ASTRAY = /^\s*--\s*(?:once|(?:returns|timeout|isolation)\s*:.*)\s*$/;
const KNOWN = '"-- once", "-- returns: rows", "-- timeout: 5s" and "-- isolation: serializable"';
const LONGEST_TIMEOUT = 2 ** 31 - 1;

type Notes = Pick<Statement, "once" | "returnsRows" | "timeout" | "isolation">;
const DEFAULTS: Notes = { once: false, returnsRows: false, timeout: 30_000, isolation: "read committed" };

/**
 * Reads a file of statements: each is a line `-- name: add-user`, annotations of one line each (`-- once`,
 * `-- returns: rows`, `-- timeout: 5s`, `-- isolation: serializable`), and SQL with parameters as `:name`.
 *
 * @throws {TypeError} naming the line
 */
export function parseStatements(file: string, dialect: Dialect): ReadonlyMap<string, Statement> {
  const lines = file.replace(/^\uFEFF/, "").split(/\r?\n/);
  const heads = lines.flatMap((line, index) => HEAD.test(line) ? [index] : []);
  const stray = lines.slice(0, heads[0]).findIndex((line) => !/^\s*(?:--|$)/.test(line));
  if (stray >= 0) throw fault(stray, 'SQL belongs below a line "-- name: …"');
  const statements = new Map<string, Statement>();
  for (const [order, head] of heads.entries()) {
    const name = HEAD.exec(lines[head]!)![1]!;
    if (!STATEMENT_NAME.test(name)) throw fault(head, "a name is letters, digits, - and _");
    if (statements.has(name)) throw fault(head, `there is a statement ${name} already`);
    statements.set(name, read(name, lines, head + 1, heads[order + 1] ?? lines.length, dialect));
  }
  return statements;
}

function read(name: string, lines: string[], from: number, to: number, dialect: Dialect): Statement {
  let notes = DEFAULTS;
  let at = from;
  // Strict: a misspelt or misplaced "-- once" must not pass for a comment.
  for (; at < to && /^\s*(?:--|$)/.test(lines[at]!); at++) {
    notes = { ...notes, ...noteOf(lines[at]!.trim(), at) };
  }
  const astray = lines.slice(at, to).findIndex((line) => ASTRAY.test(line));
  if (astray >= 0) throw fault(at + astray, `below a name there may be ${KNOWN}, and not below its SQL`);
  try {
    const commands = compile(lines.slice(at, to).join("\n"), dialect);
    return { name, commands, names: [...new Set(commands.flatMap(({ names }) => names))], ...notes };
  } catch (error) {
    if (error instanceof TypeError) throw fault(from - 1, `${name}: ${error.message}`);
    throw error;
  }
}

function noteOf(line: string, at: number): Partial<Notes> {
  if (line === "") return {};
  const [, key, value] = NOTE.exec(line) ?? [];
  if (key === "once" && value === undefined) return { once: true };
  if (key === "returns" && value === "rows") return { returnsRows: true };
  const timeout = key === "timeout" ? parseDuration(value ?? "") : undefined;
  if (timeout !== undefined && timeout >= 1 && timeout <= LONGEST_TIMEOUT) return { timeout };
  const isolation = ISOLATIONS.find((each) => key === "isolation" && each === value?.toLowerCase());
  if (isolation !== undefined) return { isolation };
  throw fault(at, `below a name there may be ${KNOWN}, and comments below the SQL's first line`);
}

function fault(line: number, why: string): TypeError {
  return new TypeError(`STATEMENTS_FILE, line ${line + 1}: ${why}`);
}
