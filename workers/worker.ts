/**
 * Inside the thread wall: the harness that runs a type's handler. It takes a Web Lock before anything else, so that
 * its death is noticed whichever way it dies, loads the task file, and then answers every `run` by one `done` or
 * `fail`. Task code runs beside it in the same thread: what it sends is a courtesy, and checked by the pool.
 */
/// <reference lib="deno.worker" />
import { AsyncLocalStorage } from "node:async_hooks";
import { isTaskDefinition, type TaskDefinition, type TaskLog } from "../tasks/mod.ts";
import { NotSerializable, toJson } from "./json.ts";
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
import { locks } from "./locks.ts";
import { createScrub, type Scrub } from "./scrub.ts";

const PROGRESS_EVERY = 100;
const LINES_PER_RUN = 1_000;
const LINE_MAX = 4_000;

const post = self.postMessage.bind(self);
const outbox = new Outbox<Report>((text) => post(text));
/** Which run the code that is running belongs to. */
const current = new AsyncLocalStorage<Run>();
const runs = new Map<number, Run>();

let spec: LoadSpec;
let scrub: Scrub = createScrub([]);
let definition: TaskDefinition;
let setup: unknown;
let ready: Promise<boolean>;

self.onmessage = ({ data }) => {
  for (const order of decode<Order>(data, FROM_ABOVE)) {
    switch (order[0]) {
      case "load":
        spec = order[1];
        ready = load(order[2]);
        break;
      case "run":
        start(new Run(order[1], order[2], order[3], order[5]));
        break;
      case "stop":
        // Answered even where the run has ended: it says that this thread still listens.
        outbox.post(["stopping", order[1]]);
        runs.get(order[1])?.stop(order[2]);
    }
  }
};

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
  #lines = 0;
  #progress: Report | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly key: number,
    readonly id: string,
    readonly attempt: number,
    readonly input: string,
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

  stop(reason: string): void {
    this.stopped = reason;
    this.#controller?.abort(new DOMException(reason, reason === "timeout" ? "TimeoutError" : "AbortError"));
  }

  /** The first goes out at once, then the last of every 100 ms. A property, so that it can be destructured. */
  readonly progress = (now: number, total?: number, message?: string): void => {
    if (!Number.isFinite(now)) return;
    const line = message === undefined ? null : scrub.message(String(message)).slice(0, 500);
    const report: Report = ["progress", this.key, now, Number.isFinite(total) ? total! : null, line];
    if (this.#timer !== undefined) {
      this.#progress = report;
      return;
    }
    outbox.post(report);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#progress) outbox.post(this.#progress);
      this.#progress = undefined;
    }, PROGRESS_EVERY);
  };

  write(level: LogLevel, message: unknown): void {
    if (this.#lines > LINES_PER_RUN) return;
    const last = this.#lines++ === LINES_PER_RUN;
    const text = last ? "Further lines are dropped." : scrub.message(String(message)).slice(0, LINE_MAX);
    outbox.post(["log", this.key, last ? "warn" : level, text]);
  }

  /** The last progress is not lost. */
  end(report: Report): void {
    clearTimeout(this.#timer);
    if (this.#progress) outbox.post(this.#progress);
    outbox.post(report);
    runs.delete(this.key);
  }
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
    capture();
    const module = await import(spec.module);
    if (!isTaskDefinition(module.default)) {
      throw new TypeError("Its default export is not from defineTask().");
    }
    definition = module.default;
    setup = await definition.setup?.({ signal: new AbortController().signal });
    outbox.post(["loaded"]);
    return true;
  } catch (error) {
    const { message, stack } = told(error);
    outbox.post(["unloadable", message, stack]);
    return false;
  }
}

async function start(run: Run): Promise<void> {
  if (!await ready) return;
  runs.set(run.key, run);
  try {
    const input = await definition.input.safeParseAsync(JSON.parse(run.input));
    if (!input.success) return run.end(fail(run, "invalid_input", first(input.error.issues)));
    let result = await current.run(run, () => definition.run(input.data, run));
    if (definition.result) {
      const checked = await definition.result.safeParseAsync(result);
      if (!checked.success) return run.end(fail(run, "invalid_result", first(checked.error.issues)));
      result = checked.data;
    }
    const text = toJson(result);
    if (text.length > spec.resultMax) {
      const why = `The result has ${text.length} characters; ${spec.resultMax} are allowed.`;
      return run.end(fail(run, "result_too_large", why));
    }
    run.end(["done", run.key, text]);
  } catch (error) {
    run.end(failure(run, error));
  }
}

function failure(run: Run, error: unknown): Report {
  const { message, stack } = told(error);
  if (error instanceof NotSerializable) return fail(run, "result_not_serializable", message);
  // A handler that was asked to stop, and did.
  if (run.stopped !== undefined) {
    return fail(run, run.stopped, `Stopped: ${run.stopped}.`, run.stopped === "timeout");
  }
  if (error instanceof Deno.errors.NotCapable) {
    return fail(run, "permission_denied", message, false, { stack });
  }
  const { code, retryable, retryAfter, details } = describe(error);
  return fail(run, code ?? "handler_error", message, retryable ?? true, { retryAfter, details, stack });
}

/** What a `TaskFailure` says of itself; nothing where reading it throws, as with a hostile proxy. */
function describe(error: unknown): Partial<Failed> {
  try {
    const { name, code, retryable, retryAfter, details } = error as Failed & { name: string };
    if (!(error instanceof Error) || (name !== "TaskFailure" && name !== "NonRetryableError")) return {};
    const plain = details && JSON.parse(scrub.message(JSON.stringify(details)));
    return {
      code: String(code),
      retryable: Boolean(retryable),
      retryAfter: finite(retryAfter),
      details: plain,
    };
  } catch {
    return {};
  }
}

const finite = (value: unknown) => Number.isFinite(value) ? value as number : undefined;

function fail(
  run: Run,
  code: string,
  message: string,
  retryable = false,
  more: Partial<Failed> = {},
): Report {
  return ["fail", run.key, { code, message, retryable, ...more }];
}

/** A thrown thing in words, whatever it is: null, a Proxy, an Error whose getters throw. */
function told(error: unknown): { message: string; stack: string } {
  try {
    const message = error instanceof Error ? `${error.message}` : `${error}`;
    const stack = error instanceof Error ? `${error.stack}` : message;
    return { message: scrub.message(message), stack: scrub.stack(stack) };
  } catch {
    return { message: "Something was thrown that cannot be described.", stack: "" };
  }
}

function first(issues: readonly { path: PropertyKey[]; message: string }[]): string {
  const issue = issues[0];
  return issue
    ? scrub.message(`${issue.path.map(String).join(".") || "value"}: ${issue.message}`)
    : "invalid";
}

/** Sends what would be lost to the right task's log: `console`, floating rejections, throwing timers. */
function capture(): void {
  const levels = {
    debug: "debug",
    log: "info",
    info: "info",
    warn: "warn",
    error: "error",
    trace: "debug",
  } as const;
  for (const [name, level] of Object.entries(levels)) {
    console[name as keyof typeof levels] = (...parts: unknown[]) => {
      const run = current.getStore();
      if (run) run.write(level, parts.map((p) => typeof p === "string" ? p : Deno.inspect(p)).join(" "));
    };
  }
  let thrower: Run | undefined;
  for (const name of ["setTimeout", "setInterval"] as const) {
    const original = globalThis[name] as unknown as (...args: unknown[]) => number;
    // The `error` event of a timer knows nothing of the run that set it: it is noted here.
    const wrapped = (callback: unknown, delay?: unknown, ...args: unknown[]): number => {
      const run = current.getStore();
      if (!run || typeof callback !== "function") return original(callback, delay, ...args);
      return original(
        (...given: unknown[]) => {
          try {
            callback(...given);
          } catch (error) {
            thrower = run;
            throw error;
          }
        },
        delay,
        ...args,
      );
    };
    Object.defineProperty(globalThis, name, { value: wrapped, writable: true, configurable: true });
  }
  const uncaught = (run: Run | undefined, error: unknown) => {
    const { message, stack } = told(error);
    outbox.post(["uncaught", run?.key ?? -1, message, stack]);
    if (run) runs.delete(run.key);
  };
  self.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    uncaught(current.getStore(), event.reason);
  });
  self.addEventListener("error", (event) => {
    event.preventDefault();
    uncaught(thrower ?? current.getStore(), event.error);
    thrower = undefined;
  });
}
