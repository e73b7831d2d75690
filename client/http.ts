/** One request, sent until it is answered for good. */
import { ErrandProblem, problemOf, unreachable } from "./problem.ts";

export interface ClientOptions {
  /** Where the service is: `https://tasks.example.com`, or where it is mounted: `https://example.com/background`. */
  readonly url: string | URL;
  /** An API key; not needed where the service has none. */
  readonly key?: string;
  /** In place of the platform's own. */
  readonly fetch?: typeof fetch;
  /** How often a request is sent again where that may help: 429, 503, or no answer; 5. */
  readonly retries?: number;
  /** Milliseconds before the first repeat, at most; doubled each time, up to `maxDelay`. 250. */
  readonly baseDelay?: number;
  /** Milliseconds that are waited at most for a repeat. Who asks to be left alone for longer is not asked again. 30 s. */
  readonly maxDelay?: number;
  /** Milliseconds without an answer after which a request counts as lost; 30 s. */
  readonly timeout?: number;
}

export interface Call {
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the service's URL. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is. */
  readonly body?: BodyInit;
  readonly signal?: AbortSignal;
  /** Milliseconds that the service itself may take, in addition to what a request may. */
  readonly patience?: number;
  /** Whether it would be answered otherwise the second time: where no answer came it is not sent again. */
  readonly once?: boolean;
}

/** What a browser or Node is told of a body that it sends while it reads it; not in every list of types. */
type Init = RequestInit & { duplex?: "half" };

export class Http {
  /** Without a slash at its end. */
  readonly url: string;
  readonly #fetch: typeof fetch;
  readonly #key: string | undefined;
  readonly #retries: number;
  readonly #baseDelay: number;
  readonly #maxDelay: number;
  readonly #timeout: number;

  /** @throws {TypeError} for what is no URL */
  constructor(options: ClientOptions) {
    this.url = baseUrl(options.url);
    // A wrapper, as browsers want `fetch` to be called on the window.
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#key = options.key;
    this.#retries = options.retries ?? 5;
    this.#baseDelay = options.baseDelay ?? 250;
    this.#maxDelay = options.maxDelay ?? 30_000;
    this.#timeout = options.timeout ?? 30_000;
  }

  json<T>(call: Call): Promise<T> {
    return this.send(call, readJson<T>);
  }

  /**
   * Sends a request until it is answered, and reads the answer; a failure to read it is one to get it.
   *
   * @throws {ErrandProblem}, or the signal's reason
   */
  async send<T>(call: Call, read: (response: Response) => T | Promise<T>): Promise<T> {
    // A stream has been read by then.
    const most = call.body instanceof ReadableStream ? 0 : this.#retries;
    for (let repeats = 0;; repeats++) {
      try {
        return await this.#try(call, read);
      } catch (error) {
        const hopeful = error instanceof ErrandProblem && mayHelp(error, call.once ?? false);
        if (!hopeful || repeats >= most) throw error;
        const { retryAfter = 0 } = error;
        if (retryAfter > this.#maxDelay) throw error;
        // Full jitter: of those who failed together not all come back together.
        const jitter = Math.random() * Math.min(this.#maxDelay, this.#baseDelay * 2 ** repeats);
        await sleep(retryAfter + jitter, call.signal);
      }
    }
  }

  async #try<T>(call: Call, read: (response: Response) => T | Promise<T>): Promise<T> {
    const { method, path, headers, json, signal, patience = 0 } = call;
    signal?.throwIfAborted();
    const body = json === undefined ? call.body : JSON.stringify(json);
    const init: Init = {
      method,
      headers: {
        ...(json !== undefined && { "content-type": "application/json" }),
        ...(this.#key !== undefined && { authorization: `Bearer ${this.#key}` }),
        ...headers,
      },
      body,
      // The service never redirects: what does would turn a POST into a GET.
      redirect: "error",
      ...(body instanceof ReadableStream && { duplex: "half" }),
    };
    const late = new AbortController();
    const abort = () => late.abort(new DOMException("The service did not answer in time.", "TimeoutError"));
    // `undefined` is no timer, which is what to wait for ever takes.
    const timer = patience < Infinity ? setTimeout(abort, this.#timeout + patience) : undefined;
    try {
      const signals = signal ? [signal, late.signal] : [late.signal];
      const response = await this.#fetch(this.url + path, { ...init, signal: AbortSignal.any(signals) });
      if (!response.ok) throw await problemOf(response);
      return await read(response);
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof ErrandProblem ? error : unreachable(this.url, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Whether the same request could be answered otherwise in a while. */
function mayHelp({ status, code }: ErrandProblem, once: boolean): boolean {
  // Refused before anything was done.
  if (status === 429 || status === 503 || code === "idempotency-in-progress") return true;
  return !once && (status === 0 || status === 502 || status === 504);
}

async function readJson<T>(response: Response): Promise<T> {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    const title = "The answer is not JSON";
    throw new ErrandProblem({ code: "unreadable-answer", status: response.status, title }, { cause });
  }
}

function baseUrl(given: string | URL): string {
  // In a page, a path is one of its own server.
  const { location } = globalThis as { location?: { href: string } };
  const url = new URL(given, location?.href);
  if (!/^https?:$/.test(url.protocol)) throw new TypeError(`Not an http or https URL: ${url.href}`);
  return url.origin + url.pathname.replace(/\/+$/, "");
}

/** Waits, unless the signal aborts, whose reason it throws then. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      signal?.aborted ? reject(signal.reason) : resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener("abort", done);
  });
}
