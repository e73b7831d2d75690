/** The programs under measurement: each a child process with an environment of its own. */
import { fileURLToPath } from "node:url";
import { z } from "zod";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FINAL = ["succeeded", "failed", "cancelled"];
const TURN = 5;

/** What a process needs to run at all; all else is the bench's, so that runs are alike. */
const INHERITED = [
  "PATH",
  "HOME",
  "DENO_DIR",
  "TMPDIR",
  "HTTPS_PROXY",
  "HTTP_PROXY",
  "DENO_CERT",
  "SSL_CERT_FILE",
];

const taskShape = z.object({ id: z.string(), status: z.string() });
const statsShape = z.object({ finished: z.int() });

export type TaskView = z.infer<typeof taskShape>;

/** A program that listens on a port of its own, until it goes out of scope. */
export class Program implements AsyncDisposable {
  private constructor(readonly url: string, private readonly child: Deno.ChildProcess) {}

  /** Resolves when it answers. */
  static async start(args: readonly string[], env: Record<string, string> = {}): Promise<Program> {
    const port = freePort();
    const inherited = INHERITED.flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    });
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", ...args],
      cwd: ROOT,
      clearEnv: true,
      env: { ...Object.fromEntries(inherited), ...env, PORT: String(port) },
      stdin: "null",
      stdout: "null",
    }).spawn();
    const program = new Program(`http://127.0.0.1:${port}`, child);
    const ended = child.status.then(({ code }) => {
      throw new Error(`${args.join(" ")} ended with code ${code} before it answered.`);
    });
    const answers = until(`${args.join(" ")} answers`, 60, () =>
      fetch(`${program.url}/livez`).then(
        async (response) => (await response.text(), response.ok || undefined),
        () => undefined,
      ));
    await Promise.race([answers, ended]);
    ended.catch(() => {});
    return program;
  }

  /** Bytes of memory that the process, without its runners, holds. Linux only. */
  rss(): number {
    const status = Deno.readTextFileSync(`/proc/${this.child.pid}/status`);
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const killed = setTimeout(() => this.child.kill("SIGKILL"), 30_000);
    this.child.kill("SIGTERM");
    await this.child.status;
    clearTimeout(killed);
  }
}

/** Errand itself, with the bench's task types and room for what the bench throws at it. */
export class Service implements AsyncDisposable {
  private constructor(private readonly program: Program, private readonly folder: string) {}

  static async start(env: Record<string, string> = {}): Promise<Service> {
    const folder = await Deno.makeTempDir({ prefix: "errand-bench-" });
    const program = await Program.start(["main.ts", "start"], {
      TASKS_DIR: "bench/tasks",
      DATA_DIR: folder,
      LOG_LEVEL: "warn",
      QUEUE_MAX: "5000000",
      QUEUE_MAX_BYTES: "4GiB",
      RUNNER_IDLE: "10m",
      DRAIN_TIMEOUT: "0s",
      ...env,
    });
    return new Service(program, folder);
  }

  get origin(): string {
    return this.program.url;
  }

  get tasksUrl(): string {
    return `${this.program.url}/v1/tasks`;
  }

  rss(): number {
    return this.program.rss();
  }

  async submit(type: string, input: unknown, more: Record<string, unknown> = {}): Promise<TaskView> {
    const body = JSON.stringify({ type, input, ...more });
    const headers = { "content-type": "application/json" };
    return taskShape.parse(await json(fetch(this.tasksUrl, { method: "POST", headers, body })));
  }

  async task(id: string): Promise<TaskView> {
    return taskShape.parse(await json(fetch(`${this.tasksUrl}/${id}`)));
  }

  async cancel(id: string): Promise<void> {
    await json(fetch(`${this.tasksUrl}/${id}/cancel`, { method: "POST" }));
  }

  /** Polls without a pause until the task has succeeded. */
  async succeeded(id: string): Promise<void> {
    while (true) {
      const { status } = await this.task(id);
      if (status === "succeeded") return;
      if (FINAL.includes(status)) throw new Error(`Task ${id} is ${status}.`);
    }
  }

  /** Resolves when the task has one of the statuses. */
  async reached(id: string, ...statuses: string[]): Promise<void> {
    await until(
      `task ${id} is ${statuses.join(" or ")}`,
      60,
      async () => statuses.includes((await this.task(id)).status) || undefined,
    );
  }

  async ended(id: string): Promise<void> {
    await this.reached(id, ...FINAL);
  }

  /** How many tasks have reached a final status since the start. */
  async finished(): Promise<number> {
    return statsShape.parse(await json(fetch(`${this.program.url}/v1/stats`))).finished;
  }

  /** Resolves when that many have. */
  async finishedAtLeast(count: number): Promise<void> {
    await until(`${count} tasks have finished`, 300, async () => await this.finished() >= count || undefined);
  }

  /** Resolves when nothing finishes any more: no round's leftovers run into the next. */
  async quiet(): Promise<void> {
    for (let before = -1, now = await this.finished(); before !== now; now = await this.finished()) {
      before = now;
      await pause(250);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Asks again and again until there is an answer. */
async function until<T>(what: string, seconds: number, ask: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  while (performance.now() < deadline) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await pause(TURN);
  }
  throw new Error(`Waited ${seconds} s in vain until ${what}.`);
}

async function json(pending: Promise<Response>): Promise<unknown> {
  const response = await pending;
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.status} from ${response.url}: ${text}`);
  return JSON.parse(text);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}
