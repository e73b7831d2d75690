import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import type postgres from "postgres";
import { TaskFailure } from "../failure.ts";
import { type Call, type Database, exact, line, type Row, type TransactionOptions } from "./database.ts";
import type { PostgresAddress } from "./url.ts";

/** Seconds. */
const CONNECT_TIMEOUT = 10;
const IDLE_TIMEOUT = 20;
const CLOSE_TIMEOUT = 1;
/** Milliseconds. */
const CANCEL_EVERY = 100;
const CANCEL_TIMEOUT = 2_000;
/** Milliseconds after which the server ends a transaction whose client says nothing, such as a stopped runner. */
const SILENT_TIMEOUT = "60000";
/** Milliseconds after which the server of a long command looks whether its client is still there. */
const CLIENT_CHECK = "2000";

const BEGIN_NOTES = "set_config('statement_timeout', $1, true), " +
  `set_config('idle_in_transaction_session_timeout', '${SILENT_TIMEOUT}', true)`;
// Only from version 14 on.
const CHECK_NOTE = `set_config('client_connection_check_interval', '${CLIENT_CHECK}', true)`;

/** What the driver would do anyway, but look for in the environment first. */
const DRIVER_DEFAULTS = {
  sslnegotiation: null,
  max_lifetime: null,
  max_pipeline: 100,
  backoff: () => 0,
  keep_alive: 60,
  prepare: true,
  debug: false,
  fetch_types: true,
  publications: "",
  target_session_attrs: undefined,
};

/** Loads the driver. */
export async function openPostgres(address: PostgresAddress): Promise<Database> {
  const { default: driver } = await import("postgres");
  const idle: Session[] = [];
  let closing: Promise<unknown> | undefined;
  return {
    dialect: "postgres",
    async transaction({ signal, timeout, isolation }, work) {
      const session = idle.pop() ?? new Session(driver, address);
      const cancel = () => session.cancel();
      let sound = false;
      signal.addEventListener("abort", cancel);
      try {
        signal.throwIfAborted();
        await session.begin({ signal, timeout, isolation });
        const answer = await work({ execute: (calls) => session.execute(calls) });
        await session.commit();
        sound = true;
        return answer;
      } catch (error) {
        sound = await session.rollback();
        throw signal.aborted ? signal.reason : failureOf(error);
      } finally {
        signal.removeEventListener("abort", cancel);
        if (sound && !closing) idle.push(session.release());
        else await session.close();
      }
    },
    async close() {
      await (closing ??= Promise.all(idle.map((session) => session.close())));
    },
  };
}

/**
 * One connection, opened when it is needed. It is the driver's only one, so that nothing is ever sent on another: the
 * driver would connect anew in the midst of a transaction.
 */
class Session {
  readonly #sql: postgres.Sql;
  readonly #address: PostgresAddress;
  #handle: postgres.ReservedSql | undefined;
  /** How the server knows the session, to cancel what it does. */
  #backend: Backend | undefined;
  /** Nothing more is to be sent. */
  #lost = false;
  /** Commands that were sent and have not been answered. */
  #running = 0;
  #cancelling: Promise<void> | undefined;

  constructor(driver: typeof postgres, address: PostgresAddress) {
    const { host, port, user, password, database, sslmode } = this.#address = address;
    this.#sql = driver({
      // As lists, which its types have forgotten: in a text it would look for ports, and so break IPv6.
      ...{ host: [host], port: [port] } as object,
      user,
      password,
      database,
      ssl: sslmode === "disable" ? false : sslmode,
      max: 1,
      connect_timeout: CONNECT_TIMEOUT,
      idle_timeout: IDLE_TIMEOUT,
      connection: { application_name: "errand" },
      types: TYPES,
      onnotice: () => {},
      onclose: () => void (this.#lost = true),
      ...DRIVER_DEFAULTS,
    });
  }

  async begin({ timeout, isolation }: TransactionOptions): Promise<void> {
    this.#lost = false;
    // Not on a reserved connection yet: for one of those the driver would connect twice where it fails.
    const { state } = await this.#sql.unsafe(`begin isolation level ${isolation}`);
    this.#backend = state;
    this.#handle = await this.#sql.reserve();
    const notes = parseInt(`${this.#sql.parameters.server_version}`) >= 14
      ? `${BEGIN_NOTES}, ${CHECK_NOTE}`
      : BEGIN_NOTES;
    await this.#send(`select ${notes}`, [`${timeout}`]);
  }

  async commit(): Promise<void> {
    await this.#send("commit", []);
  }

  async execute(calls: readonly Call[]): Promise<number> {
    const counts = await Promise.all(calls.map(async (call) => {
      try {
        return await this.#send(call.command.text, call.values, call.take);
      } catch (error) {
        throw failureOf(error, call.at);
      }
    }));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  async #send(text: string, values: readonly unknown[], take?: (row: Row) => void): Promise<number> {
    if (this.#lost || this.#cancelling || !this.#handle) throw new ConnectionLost();
    let refused: { why: unknown } | undefined;
    // The type 0 lets the server say which type a place has. In an operator's SQL nothing else is a parameter.
    const parameters = values.map((value) =>
      this.#sql.typed(textual(value) as postgres.ParameterOrFragment<never>, 0)
    );
    const query = this.#handle.unsafe(text, parameters as never[], { prepare: true, ...{ simple: false } });
    this.#running++;
    try {
      const { count } = await query.forEach((row) => {
        if (refused) return;
        try {
          take?.(row);
        } catch (why) {
          refused = { why };
          // What is still to come is not wanted.
          this.cancel();
        }
      });
      if (!refused) return count ?? 0;
    } catch (error) {
      if (!refused) throw error;
    } finally {
      this.#running--;
    }
    throw refused.why;
  }

  /** Tells the server to stop what it is doing for this session, which is good for nothing afterwards. */
  cancel(): void {
    this.#cancelling ??= this.#cancel();
  }

  async #cancel(): Promise<void> {
    if (!this.#backend) return await this.#sql.end({ timeout: 0 });
    // A request that comes between two commands stops neither of them.
    while (this.#running > 0 && !this.#lost) {
      await requestCancel(this.#address, this.#backend);
      if (this.#running > 0 && !this.#lost) await setTimeout(CANCEL_EVERY);
    }
  }

  /** @returns whether the session can serve another transaction */
  async rollback(): Promise<boolean> {
    await this.#cancelling;
    if (this.#lost || this.#cancelling || !this.#handle) return false;
    return await this.#send("rollback", []).then(() => true, () => false);
  }

  release(): this {
    this.#handle?.release();
    this.#handle = undefined;
    this.#backend = undefined;
    return this;
  }

  /** The server rolls back what it is in. */
  async close(): Promise<void> {
    // The driver would wait for whoever holds the connection.
    if (!this.#lost) this.release();
    await this.#sql.end({ timeout: this.#lost ? 0 : CLOSE_TIMEOUT });
  }
}

interface Backend {
  readonly pid: number;
  readonly secret: number;
}

/**
 * A connection of its own that says whose command is to be cancelled, and is closed by the server (PostgreSQL, 55.2.8).
 * In clear, as libpq did until version 17: the driver's own way loses its errors, and under TLS its answer.
 */
function requestCancel({ host, port }: PostgresAddress, { pid, secret }: Backend): Promise<void> {
  const message = new DataView(new ArrayBuffer(16));
  [16, 80877102, pid, secret].forEach((part, index) => message.setUint32(index * 4, part));
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: CANCEL_TIMEOUT });
    socket.on("error", () => {}).on("timeout", () => socket.destroy()).on("close", () => done());
    socket.resume().end(new Uint8Array(message.buffer));
  });
}

class ConnectionLost extends Error {
  readonly code = "CONNECTION_LOST";
}

const text = (value: unknown) => `${value}`;
/** How values go to and come from the server; what is not named here is text. */
const TYPES = {
  number: { to: 0, from: [21, 23, 26, 700, 701], serialize: text, parse: (x: string) => exact(Number(x)) },
  bigint: { to: 20, from: [20], serialize: text, parse: (x: string) => exact(BigInt(x)) },
  boolean: { to: 16, from: [16], serialize: text, parse: (x: string) => x === "t" },
  json: { to: 114, from: [114, 3802], serialize: (x: unknown) => JSON.stringify(x), parse: JSON.parse },
  // As the server writes them, but for the T and Z of RFC 3339: a Date would lose microseconds and take local time.
  date: { to: 1082, from: [1082], serialize: text, parse: text },
  timestamp: {
    to: 1184,
    from: [1114, 1184],
    serialize: text,
    parse: (x: string) => x.replace(/^(\d{4,}-\d\d-\d\d) (\S+)$/, "$1T$2").replace(/\+00$/, "Z"),
  },
  bytea: { to: 17, from: [17], serialize: text, parse: text },
};

/** A list or an object, which reads as JSON where the server wants text. */
function textual(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  const toString = () => JSON.stringify(value);
  return Array.isArray(value) ? Object.defineProperty([...value], "toString", { value: toString }) : {
    toString,
    toJSON: () => value,
  };
}

/** Another transaction was in the way: the same one may succeed at once (PostgreSQL, appendix A). */
const BUSY = new Set(["40001", "40P01", "55P03"]);
/** The server is going, coming, full, or gone. */
const AWAY = /^(?:08|53|57P|25P03)/;
const REFUSED = /^(?:28|3D)/;

function failureOf(error: unknown, at?: string): unknown {
  if (error instanceof TaskFailure || !(error instanceof Error)) return error;
  const { name, code = "", message } = error as Error & { code?: string };
  if (name !== "PostgresError") return connectionFailure(error, code);
  const details = { sqlState: code, ...(at && { at }) };
  const fail = (kind: string, message: string, retryable: boolean) =>
    new TaskFailure(kind, message, { retryable, details, cause: error });
  if (BUSY.has(code)) {
    return fail("database_busy", `Another transaction was in the way: ${line(message)}`, true);
  }
  if (code === "57014") return fail("upstream_timeout", `The database ended it: ${line(message)}`, true);
  if (AWAY.test(code)) return fail("connect_failure", `The database does not serve now: ${code}.`, true);
  if (REFUSED.test(code)) {
    return fail("connect_failure", `The database refused what DATABASE_URL says: ${code}.`, false);
  }
  return fail("database_error", `The database refused it: ${line(message)}`, false);
}

/** What went wrong below SQL. The message has neither address nor user. */
function connectionFailure(error: Error, code: string): unknown {
  const fail = (kind: string, message: string, retryable: boolean) =>
    new TaskFailure(kind, message, { retryable, cause: error });
  if (/^(?:ENOTFOUND|EAI_)/.test(code)) {
    return fail("dns_failure", "The database's host has no address.", true);
  }
  if (/CERT|TLS|SSL|SIGNATURE|ISSUER/.test(code)) {
    return fail("tls_failure", "No secure connection to the database.", false);
  }
  if (/^(?:E[A-Z]+|CONNECT\w+)$/.test(code)) {
    return fail("connect_failure", `No conversation with the database: ${code}.`, true);
  }
  return error;
}
