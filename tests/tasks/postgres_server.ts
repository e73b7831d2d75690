import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import postgres from "postgres";
import { freePort, until } from "../service.ts";

/** Where Debian's packages put it. */
const ROOT = "/usr/lib/postgresql";
/** To be found nowhere else; it needs percent-encoding in a URL. */
const PASSWORD = "canary/s3cret";
const certificate = new URL("certs/", import.meta.url);

/** A real server of its own on a free port, with TLS for who wants it; it dies with whoever started it. */
export class PostgresServer implements AsyncDisposable {
  readonly password = PASSWORD;
  readonly port = freePort();
  readonly #folder: string;
  readonly #child: ChildProcess;

  private constructor(folder: string, child: (port: number) => ChildProcess) {
    this.#folder = folder;
    this.#child = child(this.port);
  }

  static async start(): Promise<PostgresServer> {
    const bin = programs();
    const folder = Deno.makeTempDirSync({ prefix: "errand-postgres-" });
    const owner = ownerOf(folder);
    const own = (path: string) => owner && Deno.chownSync(path, owner.uid, owner.gid);
    const key = `${folder}/server.key`;
    Deno.copyFileSync(new URL("localhost.key", certificate), key);
    Deno.copyFileSync(new URL("localhost.crt", certificate), `${folder}/server.crt`);
    Deno.chmodSync(key, 0o600);
    const secret = `${folder}/password`;
    Deno.writeTextFileSync(secret, PASSWORD);
    for (const path of [folder, secret, key, `${folder}/server.crt`]) own(path);
    // As whom, and with its parent: the server refuses to run as root.
    const as = [
      "--pdeathsig=KILL",
      ...(owner ? [`--reuid=${owner.uid}`, `--regid=${owner.gid}`, "--clear-groups"] : []),
    ];
    const data = `${folder}/data`;
    execFileSync("setpriv", [
      ...as,
      `${bin}/initdb`,
      ...[
        "-D",
        data,
        "-U",
        "errand",
        "-A",
        "scram-sha-256",
        `--pwfile=${secret}`,
        "--no-sync",
        "--no-locale",
        "-E",
        "UTF8",
      ],
    ], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    const server = new PostgresServer(folder, (port) => {
      const settings = {
        port,
        listen_addresses: "127.0.0.1",
        unix_socket_directories: "",
        fsync: "off",
        ssl: "on",
        ssl_cert_file: `${folder}/server.crt`,
        ssl_key_file: key,
        deadlock_timeout: "50ms",
      };
      const options = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
      return spawn("setpriv", [...as, `${bin}/postgres`, "-D", data, ...options], {
        cwd: folder,
        stdio: "ignore",
      });
    });
    await until("the database server", () => server.query("select 1").then(() => true, () => undefined));
    return server;
  }

  /** `DATABASE_URL`, with another password or host or whatever is said. */
  url(
    change: Partial<Pick<URL, "hostname" | "port" | "username" | "password" | "pathname" | "search">> = {},
  ): string {
    const url = new URL(`postgres://errand@127.0.0.1:${this.port}/postgres`);
    return Object.assign(url, { password: this.password, ...change }).href;
  }

  /** Looks into the database, on a connection of its own. */
  async query(text: string, ...values: (string | number)[]): Promise<Record<string, unknown>[]> {
    const sql = postgres(this.url(), { max: 1, onnotice: () => {}, connect_timeout: 5 });
    try {
      return [...await sql.unsafe(text, values)];
    } finally {
      await sql.end({ timeout: 5 });
    }
  }

  /** The first column of the first row. */
  async value(text: string, ...values: (string | number)[]): Promise<unknown> {
    const [row] = await this.query(text, ...values);
    return row && Object.values(row)[0];
  }

  /** What the sessions of tasks are doing now: their last commands and their states. */
  async working(): Promise<{ pid: number; state: string; query: string }[]> {
    const rows = await this.query(
      "select pid, state, query from pg_stat_activity where application_name = 'errand' and state <> 'idle'",
    );
    return rows as { pid: number; state: string; query: string }[];
  }

  /** Waits until a task's session is at a command. */
  at(command: RegExp): Promise<{ pid: number }> {
    return until(
      `${command} on the server`,
      async () => (await this.working()).find(({ query }) => command.test(query)),
    );
  }

  /** Waits until no task's session is doing anything. */
  quiet(): Promise<true> {
    return until("quiet on the server", async () => (await this.working()).length === 0 || undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.on("exit", resolve));
    this.#child.kill("SIGQUIT");
    await ended;
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

function programs(): string {
  try {
    const versions = [...Deno.readDirSync(ROOT)].map(({ name }) => name).sort((a, b) =>
      Number(b) - Number(a)
    );
    const found = versions.map((version) => `${ROOT}/${version}/bin`).find((bin) => {
      try {
        return Deno.statSync(`${bin}/initdb`).isFile;
      } catch {
        return false;
      }
    });
    if (found) return found;
  } catch { /* As below. */ }
  assert.fail("These tests need a PostgreSQL server: apt-get install postgresql");
}

/** Whom the server runs as, where that is not whoever runs the tests. */
function ownerOf(folder: string): { uid: number; gid: number } | undefined {
  if (Deno.statSync(folder).uid !== 0) return undefined;
  const id = (flag: string) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: id("-u"), gid: id("-g") };
}
