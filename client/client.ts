/** The service as a TypeScript program sees it: what it may submit, and what comes of it, is known by the task files. */
import { Batch } from "./batch.ts";
import { type EventOptions, follow } from "./events.ts";
import { Files } from "./files.ts";
import { type ClientOptions, Http } from "./http.ts";
import { Task } from "./task.ts";
import type {
  BuiltInTasks,
  Draft,
  InputOf,
  ResultOf,
  Status,
  TaskEvent,
  TaskMap,
  TaskSettings,
  TaskView,
  TypeView,
} from "./types.ts";

export interface SubmitOptions extends TaskSettings {
  /** Given the same key and content again, even by another program, the service makes no second task. */
  readonly idempotencyKey?: string;
  /** Seconds to wait for it to end before it is answered, 60 at most. */
  readonly wait?: number;
  readonly signal?: AbortSignal;
}

export interface BatchOptions<T extends TaskMap> {
  /** Runs once when all of the batch has ended. */
  readonly then?: Draft<T>;
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** Several statuses or types: any of them. */
export interface ListOptions {
  readonly status?: Status | readonly Status[];
  readonly type?: string | readonly string[];
  readonly batch?: string;
  readonly createdAfter?: Date | string;
  readonly createdBefore?: Date | string;
  /** How many are fetched at a time; 200 at most. */
  readonly pageSize?: number;
  readonly signal?: AbortSignal;
}

/** Something that happened to any of one's tasks; `tasks.counted` comes first, and where events were missed. */
export type AnyEvent = TaskEvent | {
  readonly event: "tasks.counted";
  readonly id: string;
  readonly data: { readonly counts: Readonly<Record<Status, number>> };
};

class Tasks<T extends TaskMap> {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * Submits a task. It is sent again where no answer comes, under a key of its own, so that it is never two.
   *
   * @throws {ErrandProblem} such as `validation-failed`, whose `errors` point at what is wrong in the input
   */
  async submit<Type extends keyof T & string>(
    type: Type,
    input: InputOf<T[Type]>,
    options: SubmitOptions = {},
  ): Promise<Task<ResultOf<T[Type]>, Type>> {
    const { idempotencyKey = newKey(), wait, signal, ...rest } = options;
    const view = await this.#http.json<TaskView<ResultOf<T[Type]>, Type>>({
      method: "POST",
      path: "/v1/tasks",
      headers: {
        "idempotency-key": idempotencyKey,
        ...(wait !== undefined && { prefer: `wait=${wait}` }),
      },
      json: { type, input, ...rest },
      patience: (wait ?? 0) * 1000,
      signal,
    });
    return new Task(this.#http, view);
  }

  /** @param type which it is, where that is known */
  async get<Type extends keyof T & string = keyof T & string>(
    id: string,
    options: { type?: Type; signal?: AbortSignal } = {},
  ): Promise<Task<ResultOf<T[Type]>, Type>> {
    const path = `/v1/tasks/${encodeURIComponent(id)}`;
    return new Task(this.#http, await this.#http.json({ method: "GET", path, signal: options.signal }));
  }

  /** One's tasks, the newest first, a page fetched when it is reached. */
  async *list(options: ListOptions = {}): AsyncGenerator<Task, void, void> {
    const { signal, ...filter } = options;
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(filter)) {
      for (const one of [value].flat()) {
        if (one !== undefined) query.append(name, one instanceof Date ? one.toISOString() : String(one));
      }
    }
    while (true) {
      const page = await this.#http.json<{ tasks: TaskView[]; nextPageToken?: string }>({
        method: "GET",
        path: `/v1/tasks?${query}`,
        signal,
      });
      for (const view of page.tasks) yield new Task(this.#http, view);
      if (page.nextPageToken === undefined) return;
      query.set("pageToken", page.nextPageToken);
    }
  }
}

class Batches<T extends TaskMap> {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Submits all of them or, where one is wrong, none: `errors` of the problem point at it. */
  async submit(tasks: readonly Draft<T>[], options: BatchOptions<T> = {}): Promise<Batch> {
    const { then, idempotencyKey = newKey(), signal } = options;
    const answer = await this.#http.json<{ batch: string; tasks: { id: string }[] }>({
      method: "POST",
      path: "/v1/tasks/batch",
      headers: { "idempotency-key": idempotencyKey },
      json: { tasks, then },
      signal,
    });
    return new Batch(this.#http, answer.batch, answer.tasks.map(({ id }) => id));
  }

  /** One that was submitted before. */
  get(id: string): Batch {
    return new Batch(this.#http, id, undefined);
  }
}

/** What `createClient` makes. It holds no connections: there is nothing to close. */
export class ErrandClient<T extends TaskMap = BuiltInTasks> {
  readonly tasks: Tasks<T>;
  readonly batches: Batches<T>;
  readonly files: Files;
  readonly #http: Http;

  constructor(options: ClientOptions) {
    this.#http = new Http(options);
    this.tasks = new Tasks(this.#http);
    this.batches = new Batches(this.#http);
    this.files = new Files(this.#http);
  }

  /** What happens to all of one's tasks, from now on and for ever. */
  events(options: EventOptions = {}): AsyncGenerator<AnyEvent, void, void> {
    return follow(this.#http, "/v1/events", options, () => false);
  }

  /** What can be submitted there. */
  async types(options: { signal?: AbortSignal } = {}): Promise<TypeView[]> {
    return (await this.#http.json<{ types: TypeView[] }>({ method: "GET", path: "/v1/types", ...options }))
      .types;
  }
}

/**
 * A client of the service at `url`, for Deno, Node from 20 and browsers. It knows the built-in types unless it is told
 * others, by their files:
 *
 * ```ts
 * type Tasks = { "send-email": typeof import("./tasks/send_email.ts").default };
 * const client = createClient<Tasks>({ url: "https://tasks.example.com", key });
 * const task = await client.tasks.submit("send-email", { to: ["ada@example.com"], subject: "Hello", text: "Hi" });
 * const { messageId } = await task.result();
 * ```
 *
 * @throws {TypeError} where `url` is no http or https URL
 */
export function createClient<T extends TaskMap = BuiltInTasks>(options: ClientOptions): ErrandClient<T> {
  return new ErrandClient<T>(options);
}

/** Not `randomUUID()`, which pages without TLS do not have. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}
