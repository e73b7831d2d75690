/** A client of event streams that reads exactly as much as it is told to, and may lose its connection anywhere. */
import assert from "node:assert/strict";
import type { Hono } from "hono";
import { EventParser, type ServerEvent } from "../../client/sse.ts";
import { TOLERANCE } from "../service.ts";

/** The longest that an event is waited for; then it is as if the stream had ended. */
const PATIENCE = 10_000 * TOLERANCE;

export class Listening implements AsyncDisposable {
  /** All that it has taken, over all its connections. */
  readonly taken: ServerEvent[] = [];
  /** Milliseconds, as the service has it. */
  retry: number | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #parser = new EventParser();
  #waiting: ServerEvent[] = [];
  #decoder = new TextDecoder();

  constructor(readonly app: Hono, readonly path: string, readonly headers: Record<string, string> = {}) {}

  static async to(app: Hono, path: string, headers?: Record<string, string>): Promise<Listening> {
    const listening = new Listening(app, path, headers);
    assert.equal((await listening.connect()).status, 200);
    return listening;
  }

  get lastId(): string {
    return this.taken.at(-1)?.id ?? "";
  }

  async connect(): Promise<Response> {
    const headers = this.lastId === "" ? this.headers : { ...this.headers, "last-event-id": this.lastId };
    const answer = await this.app.request(this.path, { headers });
    if (answer.status !== 200) return answer;
    this.#reader = answer.body!.getReader();
    this.#parser = new EventParser(this.lastId);
    this.#decoder = new TextDecoder();
    return answer;
  }

  /** The next event; `undefined` where the stream has ended. */
  async next(): Promise<ServerEvent | undefined> {
    const reader = this.#reader!;
    const patience = setTimeout(() => reader.cancel(), PATIENCE);
    while (this.#waiting.length === 0) {
      const { done, value } = await reader.read().finally(() => clearTimeout(patience));
      if (done) return undefined;
      this.#waiting = this.#parser.push(this.#decoder.decode(value, { stream: true }));
      this.retry = this.#parser.retry;
    }
    clearTimeout(patience);
    const event = this.#waiting.shift()!;
    this.taken.push(event);
    return event;
  }

  async take(count: number): Promise<ServerEvent[]> {
    const before = this.taken.length;
    while (this.taken.length < before + count) assert.ok(await this.next(), "the stream has ended");
    return this.taken.slice(before);
  }

  /** All until the stream ends. */
  async rest(): Promise<ServerEvent[]> {
    const before = this.taken.length;
    while (await this.next() !== undefined);
    return this.taken.slice(before);
  }

  /** What it has been sent and has not taken is lost. */
  async drop(): Promise<void> {
    this.#waiting = [];
    await this.#reader?.cancel();
    this.#reader = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drop();
  }
}

/** Its name and what it says of its task: the status, or the log's line. */
export function gist({ event, data }: ServerEvent): string {
  const { status, message, progress } = JSON.parse(data);
  return `${event} ${message ?? (event === "task.progress" ? progress.current : status)}`;
}
