import { z } from "zod";
import { type Database, openDatabase } from "./lib/database/database.ts";
import { parseStatements, type Statement, STATEMENT_NAME } from "./lib/database/statements.ts";
import { rowsInFile } from "./lib/database/table_rows.ts";
import { netOf, parseDatabaseUrl } from "./lib/database/url.ts";
import { carryOut, type Work } from "./lib/database/work.ts";
import { defineTask, TaskFailure, type TaskFiles } from "./mod.ts";

const ROWS_MAX = 100_000;
const SETTINGS = ["DATABASE_URL", "STATEMENTS_FILE"];
/** What the Postgres driver asks the environment for, whatever it is told; neither is needed. */
const DRIVER_ENV = ["PGAPPNAME", "PGTARGETSESSIONATTRS"];

const parameters = z.record(
  z.string().regex(/^[A-Za-z_]\w{0,62}$/, "must be a parameter's name"),
  z.unknown(),
);
const input = z.strictObject({
  /** A name from STATEMENTS_FILE. */
  statement: z.string().regex(STATEMENT_NAME, "must be the name of a statement"),
  params: parameters.optional(),
  rows: z.array(parameters).min(1).max(ROWS_MAX).optional(),
  /** Of CSV: the names of its columns are those of the parameters. */
  file: z.guid().optional(),
}).refine(({ params, rows }) => !(params && rows), {
  path: ["rows"],
  message: "must not stand beside params",
}).refine(({ params, rows, file }) => file === undefined || !(params || rows), {
  path: ["file"],
  message: "must not stand beside params or rows",
});

/** What a worker keeps. */
interface Desk {
  readonly database: Database;
  readonly statements: ReadonlyMap<string, Statement>;
}

export default defineTask({
  description:
    "Carries out a statement that the operator wrote in STATEMENTS_FILE, in the database at DATABASE_URL.",
  input,
  result: z.strictObject({
    rowCount: z.int().min(0),
    rows: z.array(z.record(z.string(), z.unknown())).optional(),
  }),
  permissions({ env: { DATABASE_URL, STATEMENTS_FILE } }) {
    if (!DATABASE_URL || !STATEMENTS_FILE) return { env: SETTINGS };
    const address = parseDatabaseUrl(DATABASE_URL);
    return address.kind === "sqlite"
      ? { env: SETTINGS, read: [STATEMENTS_FILE, address.path], write: [address.path] }
      : { env: [...SETTINGS, ...DRIVER_ENV], read: [STATEMENTS_FILE], net: [netOf(address)] };
  },
  files: true,
  // As many connections at most; SQLite does one transaction after another anyway.
  concurrency: 8,
  tasksPerWorker: 8,
  timeout: "5m",
  maxAttempts: 5,
  // What had not been committed was rolled back; a statement that must not run twice says "-- once".
  onCrash: "retry",
  async setup({ signal }): Promise<Desk | undefined> {
    const [url, file] = SETTINGS.map((name) => Deno.env.get(name));
    if (!url || !file) return undefined;
    const database = await openDatabase(parseDatabaseUrl(url));
    signal.addEventListener("abort", () => database.close());
    return { database, statements: parseStatements(await read(file), database.dialect) };
  },
  async run(input, context) {
    const { setup: desk, signal } = context;
    signal.throwIfAborted();
    if (!desk) throw new TaskFailure("not_configured", "DATABASE_URL and STATEMENTS_FILE are not both set.");
    const statement = desk.statements.get(input.statement);
    if (!statement) {
      throw new TaskFailure("invalid_input", `statement: there is none named ${input.statement}`);
    }
    return await carryOut(
      desk.database,
      { statement, ...rowsOf(input, context), digest: await digest(input) },
      context,
    );
  },
});

/** Where the rows come from: one way is one case here. */
function rowsOf(
  { params = {}, rows, file }: z.output<typeof input>,
  context: { readonly files: TaskFiles },
): Pick<Work, "rows" | "total" | "where"> {
  if (file !== undefined) {
    const where = (index: number) => `file row ${index + 1}`;
    return { rows: () => rowsInFile(file, context.files, ROWS_MAX), total: undefined, where };
  }
  if (!rows) return { rows: () => [params], total: undefined, where: () => "params" };
  return { rows: () => rows, total: rows.length, where: (index) => `rows.${index}` };
}

async function read(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    throw new TypeError("STATEMENTS_FILE cannot be read.", { cause });
  }
}

async function digest(input: unknown): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(input)));
  return new Uint8Array(hash).toHex();
}
