/** One task, as a program holds it. */
import { type EventOptions, follow } from "./events.ts";
import type { Http } from "./http.ts";
import {
  type FinalView,
  isFinal,
  type LogLine,
  type Progress,
  type TaskError,
  type TaskEvent,
  type TaskView,
} from "./types.ts";
import { waitFor, type WaitOptions, within } from "./wait.ts";

const LAST: ReadonlySet<string> = new Set(["task.succeeded", "task.failed", "task.cancelled"]);

/** What `result()` throws for a task that has failed or was cancelled. */
export class UnsuccessfulTask extends Error {
  override readonly name = "UnsuccessfulTask";
  /** Of the error that it ended by, such as `timeout`; or `cancelled`. */
  readonly code: string;
  readonly error: TaskError | undefined;

  constructor(readonly task: FinalView) {
    const error = task.status === "succeeded" ? undefined : task.error;
    super(
      `The task ${task.id} has ${task.status === "failed" ? "failed" : "been cancelled"}` +
        (error ? `: ${error.code}: ${error.message}` : "."),
    );
    this.code = task.status === "failed" ? task.error.code : task.status;
    this.error = error;
  }
}

export class Task<Result = unknown, Type extends string = string> {
  readonly #http: Http;
  readonly #path: string;
  #view: TaskView<Result, Type>;

  constructor(http: Http, view: TaskView<Result, Type>) {
    this.#http = http;
    this.#view = view;
    this.#path = `/v1/tasks/${view.id}`;
  }

  get id(): string {
    return this.#view.id;
  }

  get type(): Type {
    return this.#view.type;
  }

  get status(): TaskView["status"] {
    return this.#view.status;
  }

  /** As it was when it was last heard of. */
  get view(): TaskView<Result, Type> {
    return this.#view;
  }

  /** Asks how it is now. */
  async refresh(options: { signal?: AbortSignal } = {}): Promise<TaskView<Result, Type>> {
    return this.#view = await this.#http.json({ method: "GET", path: this.#path, ...options });
  }

  /**
   * Waits until it has ended, whichever way: look at `status`. Without `onProgress` the service is asked to answer when
   * that is so (`Prefer: wait`); with it, it is listened to.
   *
   * @throws {DOMException} `TimeoutError`; the signal's reason
   */
  async wait(
    options: WaitOptions & { onProgress?: (progress: Progress) => void } = {},
  ): Promise<FinalView<Result, Type>> {
    return await within(options, async (signal) => {
      if (options.onProgress) await this.#listen(options.onProgress, signal);
      if (isFinal(this.#view)) return this.#view;
      const ended = await waitFor<TaskView<Result, Type>>(this.#http, this.#path, signal, isFinal);
      return this.#view = ended as FinalView<Result, Type>;
    });
  }

  /**
   * Waits for its result.
   *
   * @throws {UnsuccessfulTask} if it has failed, or was cancelled
   */
  async result(options: WaitOptions = {}): Promise<Result> {
    const task = await this.wait(options);
    if (task.status === "succeeded") return task.result;
    throw new UnsuccessfulTask(task);
  }

  /** Its result as an HTTP answer of its own: the bytes of the file, where it made one. It must have succeeded. */
  async content(options: { signal?: AbortSignal } = {}): Promise<Response> {
    return await this.#http.send(
      { method: "GET", path: `${this.#path}/result`, ...options },
      (answer) => answer,
    );
  }

  /** What happens to it, until it has ended. Lost connections are made anew, without a gap. */
  async *events(options: EventOptions = {}): AsyncGenerator<TaskEvent<Result, Type>, void, void> {
    const isLast = ({ event }: { event: string }) => LAST.has(event);
    const events = follow<TaskEvent<Result, Type>>(this.#http, `${this.#path}/events`, options, isLast);
    for await (const told of events) {
      if (told.event !== "task.log") this.#view = told.data;
      yield told;
    }
  }

  async logs(options: { signal?: AbortSignal } = {}): Promise<LogLine[]> {
    const call = { method: "GET", path: `${this.#path}/logs`, ...options } as const;
    return (await this.#http.json<{ lines: LogLine[] }>(call)).lines;
  }

  /** Asks it to end; one that is running has ended when `wait()` says so. */
  async cancel(options: { signal?: AbortSignal } = {}): Promise<TaskView<Result, Type>> {
    return this.#view = await this.#http.json({ method: "POST", path: `${this.#path}/cancel`, ...options });
  }

  /** Has it run again after it has ended, all attempts anew. */
  async retry(options: { signal?: AbortSignal } = {}): Promise<TaskView<Result, Type>> {
    const call = { method: "POST", path: `${this.#path}/retry`, once: true, ...options } as const;
    return this.#view = await this.#http.json(call);
  }

  /** Has the service forget it, and all that belongs to it. It must have ended. */
  async delete(options: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#http.send({ method: "DELETE", path: this.#path, once: true, ...options }, () => {});
  }

  async #listen(onProgress: (progress: Progress) => void, signal: AbortSignal | undefined): Promise<void> {
    if (isFinal(this.#view)) return;
    let last = "";
    for await (const { event, data } of this.events({ signal })) {
      if (event === "task.log" || data.progress === undefined) continue;
      const text = JSON.stringify(data.progress);
      if (text !== last) onProgress(data.progress);
      last = text;
    }
  }
}
