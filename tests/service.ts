/** The real service as a child process, for tests: started, watched, asked, and ended in every way. */
import { type ChildProcess, spawn } from "node:child_process";
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
/** With a query, so that whoever lists or ends processes can tell it from a service that somebody uses. */
const MAIN = new URL("../main.ts?test", import.meta.url).href;
const FIXTURES = fileURLToPath(new URL("./fixtures", import.meta.url));
/** How much slower than promised a busy machine may be. */
export const TOLERANCE = Number(Deno.env.get("TEST_TOLERANCE") ?? 3);
/** The longest that anything is waited for. */
const PATIENCE = 20_000 * TOLERANCE;
/** `GET /livez` is answered within, whatever tasks do. */
const LIVEZ_WITHIN = 100;

export interface TaskView {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly result?: unknown;
  readonly error?: {
    code: string;
    message: string;
    retryable: boolean;
    attempt: number;
    details?: Record<string, unknown>;
  };
  readonly progress?: { current: number; total?: number; message?: string };
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
}

export interface Readiness {
  readonly status: string;
  readonly problems?: string[];
  readonly notices?: string[];
}

/** Looks until there is something, which it answers. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const patience = performance.now() + PATIENCE;
  while (true) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    assert.ok(performance.now() < patience, `waited in vain for ${what}`);
    await pause(10);
  }
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: string | null }>;
  output(): string;
}

/** Runs `main.ts` with the rights of `deno task start`. */
export function program(args: string[], env: Record<string, string>): Program {
  const { HOST = "127.0.0.1", PORT = "8000", DATA_DIR = "data", TASKS_DIR = "tasks", API_KEYS_FILE } = env;
  const child = spawn(Deno.execPath(), [
    "run",
    "--no-prompt",
    "--allow-env",
    "--allow-sys=setPriority",
    `--allow-net=${HOST}:${PORT}`,
    `--allow-read=.,${DATA_DIR},${TASKS_DIR}${API_KEYS_FILE ? `,${API_KEYS_FILE}` : ""}`,
    `--allow-write=${DATA_DIR}`,
    `--allow-run=${Deno.execPath()}`,
    MAIN,
    ...args,
  ], {
    cwd: ROOT,
    env: { ...Deno.env.toObject(), NO_COLOR: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding("utf8").on("data", (text: string) => output = (output + text).slice(-100_000));
  }
  const { promise: ended, resolve } = Promise.withResolvers<{ code: number | null; signal: string | null }>();
  child.on("close", (code, signal) => resolve({ code, signal }));
  return { child, ended, output: () => output };
}

export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

export class Service implements AsyncDisposable {
  private constructor(readonly url: string, readonly dataDir: string, readonly program: Program) {}

  static async start(env: Record<string, string> = {}): Promise<Service> {
    const dataDir = Deno.makeTempDirSync({ prefix: "errand-test-" });
    const port = String(freePort());
    const running = program(["start"], {
      PORT: port,
      DATA_DIR: dataDir,
      TASKS_DIR: FIXTURES,
      GRACE: "500ms",
      BACKOFF_BASE: "10ms",
      BACKOFF_MAX: "50ms",
      LOG_LEVEL: "warn",
      ...env,
    });
    const service = new Service(`http://127.0.0.1:${port}`, dataDir, running);
    let gone = false;
    running.ended.then(() => gone = true);
    await until("the service's start", async () => {
      assert.ok(!gone, `the service did not start: ${running.output()}`);
      return await fetch(`${service.url}/livez`).then(
        async (r) => (await r.body?.cancel(), r.ok),
        () => undefined,
      );
    });
    return service;
  }

  get pid(): number {
    return this.program.child.pid!;
  }

  async call(method: string, path: string, body?: unknown): Promise<Response> {
    return await fetch(this.url + path, {
      method,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      }),
    });
  }

  async submit(type: string, input: unknown, more: Record<string, unknown> = {}): Promise<string> {
    const response = await this.call("POST", "/v1/tasks", { type, input, ...more });
    const task = await response.json();
    assert.equal(response.status, 202, JSON.stringify(task));
    return task.id;
  }

  async get(id: string): Promise<TaskView> {
    const response = await this.call("GET", `/v1/tasks/${id}`);
    const task = await response.json();
    assert.equal(response.status, 200, JSON.stringify(task));
    return task;
  }

  async logs(id: string): Promise<{ level: string; message: string }[]> {
    return (await (await this.call("GET", `/v1/tasks/${id}/logs`)).json()).lines;
  }

  async cancel(id: string): Promise<void> {
    const response = await this.call("POST", `/v1/tasks/${id}/cancel`);
    await response.body?.cancel();
    assert.ok(response.ok, `cancel: ${response.status}`);
  }

  async ready(): Promise<Readiness> {
    return await (await this.call("GET", "/readyz")).json();
  }

  /** Waits for one of these statuses. */
  reached(id: string, ...statuses: string[]): Promise<TaskView> {
    return until(`${statuses.join(" or ")} of task ${id}`, async () => {
      const task = await this.get(id);
      return statuses.includes(task.status) ? task : undefined;
    });
  }

  final(id: string): Promise<TaskView> {
    return this.reached(id, "succeeded", "failed", "cancelled");
  }

  async run(type: string, input: unknown, more: Record<string, unknown> = {}): Promise<TaskView> {
    return await this.final(await this.submit(type, input, more));
  }

  /** Asks `/livez` all the time; the answer ends that, and says how long the answers took. */
  watch(): () => Promise<void> {
    const took: number[] = [];
    let on = true;
    const loop = (async () => {
      while (on) {
        const asked = performance.now();
        const response = await fetch(`${this.url}/livez`);
        await response.body?.cancel();
        assert.equal(response.status, 200);
        took.push(performance.now() - asked);
        await pause(15);
      }
    })();
    loop.catch(() => {});
    return async () => {
      on = false;
      await loop;
      took.sort((a, b) => a - b);
      const usual = took[Math.floor(took.length * 0.95)]!;
      assert.ok(usual < LIVEZ_WITHIN, `/livez: 95 % within ${usual.toFixed()} ms`);
      const worst = took.at(-1)!;
      assert.ok(worst < LIVEZ_WITHIN * TOLERANCE, `/livez: all within ${worst.toFixed()} ms`);
    };
  }

  /** The process ids of its runners. */
  runners(): number[] {
    return childrenOf(this.pid);
  }

  /** No runner keeps a core busy. */
  async calm(): Promise<void> {
    await until("the core to be given back", async () => {
      const before = new Map(this.runners().map((pid) => [pid, ticks(pid)]));
      await pause(200);
      // 20 ticks are 200 ms of a core.
      return this.runners().every((pid) => ticks(pid) - (before.get(pid) ?? 0) < 10);
    });
  }

  signal(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): void {
    Deno.kill(this.pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.signal("SIGKILL");
    } catch { /* It has ended. */ }
    await this.program.ended;
    Deno.removeSync(this.dataDir, { recursive: true });
  }
}

export function alive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat[0] !== "Z";
}

function childrenOf(parent: number): number[] {
  return [...Deno.readDirSync("/proc")]
    .map(({ name }) => Number(name))
    .filter((pid) => Number(statOf(pid)?.[1]) === parent && alive(pid));
}

/** Hundredths of a second of CPU time. */
function ticks(pid: number): number {
  const stat = statOf(pid);
  return Number(stat?.[11] ?? 0) + Number(stat?.[12] ?? 0);
}

/** Its state, its parent, … (proc_pid_stat(5), behind the name). */
function statOf(pid: number): string[] | undefined {
  if (!Number.isInteger(pid)) return undefined;
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
