/**
 * Inside the thread wall: the harness that runs a type's handler. It takes a Web Lock before anything else, so that
 * its death is noticed whichever way it dies, loads the task file, and then answers every `run` by one `done` or
 * `fail`. Task code runs beside it in the same thread: what it sends is a courtesy, and checked by the pool.
 */
/// <reference lib="deno.worker" />
import { AsyncLocalStorage } from "node:async_hooks";
import { isTaskDefinition, type TaskDefinition, type TaskLog } from "../tasks/mod.ts";
import { capture } from "./capture.ts";
import { toJson } from "./json.ts";
import {
  decode,
  type Failed,
  FROM_ABOVE,
  type LoadSpec,
  type LogLevel,
  type Order,
  Outbox,
  type Report,
} from "./messages.ts";
import { HandlerCheckpoint } from "./handler_checkpoint.ts";
import { HandlerFiles } from "./handler_files.ts";
import { locks } from "./locks.ts";
import { createScrub, type Scrub } from "./scrub.ts";
import { described, first, told } from "./telling.ts";

const PROGRESS_EVERY = 100;
const LINES_PER_RUN = 1_000;
const LINE_MAX = 4_000;
/** Progress and log messages of all runs in a second; what is more is dropped, so that the pool keeps its faith. */
const MESSAGES_PER_SECOND = 10_000;

const post = self.postMessage.bind(self);
const outbox = new Outbox<Report>((text) => post(text));
/** Which run the code that is running belongs to. */
const current = new AsyncLocalStorage<Run>();
const runs = new Map<number, Run>();
let budget = { since: 0, left: MESSAGES_PER_SECOND };

let spec: LoadSpec;
let scrub: Scrub = createScrub([]);
let definition: TaskDefinition;
let setup: unknown;
let ready: Promise<boolean>;

// Not `onmessage`, which a task file may set.
self.addEventListener("message", (event) => {
  for (const order of decode<Order>((event as MessageEvent).data, FROM_ABOVE)) {
    switch (order[0]) {
      case "load":
        spec = order[1];
        ready = load(order[2]);
        break;
      case "run":
        start(new Run(order[1], order[2], order[3], order[5], order[6]));
        break;
      case "kept":
        runs.get(order[1])?.checkpoint.kept(order[2]);
        break;
      case "stop":
        // Answered even where the run has ended: it says that this thread still listens.
        outbox.post(["stopping", order[1]]);
        runs.get(order[1])?.stop(order[2]);
    }
  }
});

/** One attempt, and the context that its handler sees. */
class Run {
  readonly log: TaskLog = {
    debug: (message) => this.write("debug", message),
    info: (message) => this.write("info", message),
    warn: (message) => this.write("warn", message),
    error: (message) => this.write("error", message),
  };
  stopped: string | undefined;
  #controller: AbortController | undefined;
  #files: HandlerFiles | undefined;
  #checkpoint: HandlerCheckpoint | undefined;
  #lines = 0;
  #progress: Report | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly key: number,
    readonly id: string,
    readonly attempt: number,
    readonly input: string,
    readonly last: string | undefined,
  ) {}

  /** Made when first asked for: most handlers never do. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.stopped !== undefined) this.stop(this.stopped);
    return this.#controller.signal;
  }

  get setup(): unknown {
    return setup;
  }

  get files(): HandlerFiles {
    return this.#files ??= new HandlerFiles(spec.files, this.key, (id, name, contentType) => {
      outbox.post(["made", this.key, id, name, contentType]);
    });
  }

  get checkpoint(): HandlerCheckpoint {
    return this.#checkpoint ??= new HandlerCheckpoint(this.last, (checkpoint) => {
      outbox.post(["checkpoint", this.key, checkpoint]);
    });
  }

  stop(reason: string): void {
    this.stopped = reason;
    const why = new DOMException(reason, reason === "timeout" ? "TimeoutError" : "AbortError");
    // As this run: a listener may throw.
    current.run(this, () => this.#controller?.abort(why));
  }

  /** The first goes out at once, then the last of every 100 ms. A property, so that it can be destructured. */
  readonly progress = (now: number, total?: number, message?: string): void => {
    if (!Number.isFinite(now)) return;
    const line = message === undefined ? null : scrub.message(String(message)).slice(0, 500);
    const report: Report = ["progress", this.key, now, Number.isFinite(total) ? total! : null, line];
    if (this.#timer !== undefined || !spend()) {
      this.#progress = report;
      return;
    }
    outbox.post(report);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const latest = this.#progress;
      this.#progress = undefined;
      if (latest && spend()) outbox.post(latest);
    }, PROGRESS_EVERY);
  };

  write(level: LogLevel, message: unknown): void {
    if (this.#lines > LINES_PER_RUN || !spend()) return;
    const last = this.#lines++ === LINES_PER_RUN;
    const text = last ? "Further lines are dropped." : scrub.message(String(message)).slice(0, LINE_MAX);
    outbox.post(["log", this.key, last ? "warn" : level, text]);
  }

  /** The last progress is not lost. */
  end(report: Report): void {
    clearTimeout(this.#timer);
    if (this.#progress && spend()) outbox.post(this.#progress);
    outbox.post(report);
    runs.delete(this.key);
  }
}

/** Whether one more progress or log message may go out. */
function spend(): boolean {
  const now = performance.now();
  if (now - budget.since > 1_000) budget = { since: now, left: MESSAGES_PER_SECOND };
  return budget.left-- > 0;
}

/** Resolves to whether the task file is loaded; the pool has been told why not. */
async function load(lock: string): Promise<boolean> {
  await new Promise<void>((locked) => {
    locks.request(lock, () => {
      locked();
      return new Promise(() => {});
    });
  });
  outbox.post(["locked"]);
  outbox.flush();
  try {
    scrub = createScrub(spec.secrets.map((name) => Deno.env.get(name)));
    capture(current, {
      wrote: (run, level, message) => run.write(level, message),
      uncaught(run, error) {
        const { message, stack } = told(error, scrub);
        outbox.post(["uncaught", run?.key ?? -1, message, stack]);
        run?.stop("unhandled_rejection");
      },
    });
    const module = await import(spec.module);
    if (!isTaskDefinition(module.default)) {
      throw new TypeError("Its default export is not from defineTask().");
    }
    definition = module.default;
    setup = await definition.setup?.({ signal: new AbortController().signal });
    outbox.post(["loaded"]);
    // Before a handler can keep this thread busy.
    outbox.flush();
    return true;
  } catch (error) {
    const { message, stack } = told(error, scrub);
    outbox.post(["unloadable", message, stack]);
    return false;
  }
}

async function start(run: Run): Promise<void> {
  runs.set(run.key, run);
  if (!await ready) return;
  if (run.stopped !== undefined) return run.end(stopped(run, run.stopped));
  try {
    const input = await definition.input.safeParseAsync(JSON.parse(run.input));
    if (!input.success) return run.end(fail(run, "invalid_input", first(input.error.issues, scrub)));
    let result = await current.run(run, () => definition.run(input.data, run));
    if (definition.result) {
      const checked = await definition.result.safeParseAsync(result);
      if (!checked.success) return run.end(fail(run, "invalid_result", first(checked.error.issues, scrub)));
      result = checked.data;
    }
    const text = serialized(run, result);
    if (typeof text !== "string") return run.end(text);
    if (text.length > spec.resultMax) {
      const why = `The result has ${text.length} characters; ${spec.resultMax} are allowed.`;
      return run.end(fail(run, "result_too_large", why));
    }
    run.end(["done", run.key, text]);
  } catch (error) {
    run.end(failure(run, error));
  }
}

/** JSON text, or why there is none. */
function serialized(run: Run, result: unknown): string | Report {
  try {
    return toJson(result);
  } catch (error) {
    return fail(run, "result_not_serializable", told(error, scrub).message);
  }
}

function failure(run: Run, error: unknown): Report {
  const { message, stack } = told(error, scrub);
  // A handler that was asked to stop, and did.
  if (run.stopped !== undefined) return stopped(run, run.stopped);
  const { code = "handler_error", retryable = true, ...more } = described(error, scrub);
  return fail(run, code, message, retryable, { ...more, stack });
}

function stopped(run: Run, reason: string): Report {
  return fail(run, reason, `Stopped: ${reason}.`, reason === "timeout");
}

function fail(
  run: Run,
  code: string,
  message: string,
  retryable = false,
  more: Partial<Failed> = {},
): Report {
  return ["fail", run.key, { code, message, retryable, ...more }];
}
