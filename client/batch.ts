/** Many tasks that were submitted as one. */
import { type EventOptions, follow } from "./events.ts";
import type { Http } from "./http.ts";
import type { Status, TaskEvent } from "./types.ts";
import { waitFor, type WaitOptions, within } from "./wait.ts";

/** How many of its tasks are how far. */
export interface BatchView {
  readonly id: string;
  readonly size: number;
  readonly counts: Readonly<Record<Status, number>>;
  readonly createdAt: string;
  /** When all of it had ended. */
  readonly finishedAt?: string;
  /** The id of the task that runs then. */
  readonly then?: string;
  readonly links: Readonly<Record<string, string>>;
}

/** Something that happened to a batch or to one of its tasks; `batch.finished` is the last. */
export type BatchEvent = TaskEvent | {
  readonly event: "batch.updated" | "batch.finished";
  readonly id: string;
  readonly data: BatchView;
};

export class Batch {
  readonly #http: Http;
  readonly #path: string;

  /** @param tasks the ids of its tasks, in the order in which they were given; unless it was looked up */
  constructor(http: Http, readonly id: string, readonly tasks: readonly string[] | undefined) {
    this.#http = http;
    this.#path = `/v1/batches/${encodeURIComponent(id)}`;
  }

  async refresh(options: { signal?: AbortSignal } = {}): Promise<BatchView> {
    return await this.#http.json({ method: "GET", path: this.#path, ...options });
  }

  /** Waits until every task of it has ended, whichever way. */
  async wait(options: WaitOptions = {}): Promise<BatchView> {
    const ended = ({ finishedAt }: BatchView) => finishedAt !== undefined;
    return await within(options, (signal) => waitFor(this.#http, this.#path, signal, ended));
  }

  /** What happens to it and to its tasks, until all of them have ended. */
  events(options: EventOptions = {}): AsyncGenerator<BatchEvent, void, void> {
    return follow(this.#http, `${this.#path}/events`, options, ({ event }) => event === "batch.finished");
  }
}
