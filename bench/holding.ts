/** What it costs to hold requests open: readers of event streams, and requests that wait. */
import { fileURLToPath } from "node:url";
import { paced } from "./measures.ts";
import { median, milliseconds, quantile, type Row } from "./report.ts";
import { pause, Program, Service } from "./service.ts";

const HOLD = fileURLToPath(new URL("./hold.ts", import.meta.url));
const TURNS = 3;
/** For connections that have ended to be forgotten, and garbage to be collected. */
const SETTLE = 3_000;

/** Requests that are open, held by a process of their own. */
class Held implements AsyncDisposable {
  readonly #lines: ReadableStreamDefaultReader<string>;

  private constructor(private readonly child: Deno.ChildProcess) {
    this.#lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async open(origin: string, count: number, path: string, ...headers: string[]): Promise<Held> {
    const args = ["run", "-A", HOLD, origin, String(count), path, ...headers];
    const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "piped" }).spawn();
    const held = new Held(child);
    await held.#says("held");
    return held;
  }

  async answered(): Promise<void> {
    await this.#says("answered");
  }

  #said = "";
  async #says(word: string): Promise<void> {
    while (!this.#said.includes(word)) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`What holds requests ended before it said ${word}.`);
      this.#said += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lines.cancel();
    await this.child.stdin.close();
    await this.child.status;
  }
}

/** Idle readers of event streams: their memory, and how long a `POST` takes besides them. */
export async function readers(count = 10_000): Promise<Row[]> {
  await using bare = await Program.start(["bench/bare_streams.ts"]);
  const floor = await memoryOf(bare, bare.url, count, "/stream");
  await using service = await Service.start();
  const { id } = await service.submit("noop", { n: 1 }, { delay: "1h" });
  const events = `/v1/tasks/${id}/events`;
  const post = () => service.submit("noop", { n: 1 });
  await paced(post);
  const [without, besides]: [number[], number[]] = [[], []];
  let bytes = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    await pause(SETTLE);
    without.push(...await paced(post));
    const before = service.rss();
    await using held = await Held.open(service.origin, count, events);
    await held.answered();
    await pause(SETTLE);
    // Later turns find the memory that earlier ones have left.
    if (turn === 0) bytes = (service.rss() - before) / count;
    besides.push(...await paced(post));
  }
  return [
    {
      measure: `KB of memory for each of ${count.toLocaleString("en")} idle readers`,
      figure: `${(bytes / 1000).toFixed(1)} KB (bare Deno.serve: ${(floor / 1000).toFixed(1)} KB)`,
      ratio: bytes / 1000,
      aim: { atMost: 30 },
    },
    { measure: "POST, p99, without readers", figure: spread(without) },
    {
      measure: "POST, p99, besides them",
      figure: spread(besides),
      ratio: quantile(besides, 0.99) / quantile(without, 0.99),
      aim: { atMost: 2 },
    },
  ];
}

/** Requests that wait for a task: what they cost while nothing happens, and how soon they are answered. */
export async function waiters(count = 5_000): Promise<Row[]> {
  await using service = await Service.start();
  const post = () => service.submit("noop", { n: 1 });
  await paced(post);
  const [without, besides, took]: [number[], number[], number[]] = [[], [], []];
  let bytes = 0;
  for (let turn = 0; turn < TURNS; turn++) {
    const { id } = await service.submit("noop", { n: 1 }, { delay: "1h" });
    await pause(SETTLE);
    without.push(...await paced(post));
    const before = service.rss();
    await using held = await Held.open(service.origin, count, `/v1/tasks/${id}`, "Prefer: wait=60");
    await pause(SETTLE);
    if (turn === 0) bytes = (service.rss() - before) / count;
    besides.push(...await paced(post));
    const ended = performance.now();
    await service.cancel(id);
    await held.answered();
    took.push(performance.now() - ended);
  }
  return [
    {
      measure: `KB of memory for each of ${count.toLocaleString("en")} that wait`,
      figure: `${(bytes / 1000).toFixed(1)} KB`,
    },
    {
      measure: "POST, p99, besides them",
      figure: `${spread(besides)} (without: ${spread(without)})`,
      ratio: quantile(besides, 0.99) / quantile(without, 0.99),
      aim: { atMost: 2 },
    },
    { measure: "from the task's end until all are answered", figure: milliseconds(median(took)) },
  ];
}

/** Bytes for each of so many streams. */
async function memoryOf(program: Program, origin: string, count: number, path: string): Promise<number> {
  const before = program.rss();
  await using held = await Held.open(origin, count, path);
  await held.answered();
  await pause(SETTLE);
  return (program.rss() - before) / count;
}

function spread(times: readonly number[]): string {
  return `${milliseconds(quantile(times, 0.99))} (p50 ${milliseconds(median(times))})`;
}
