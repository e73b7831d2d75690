/** Waiting for what takes a while: the service is asked to answer when it has happened (RFC 7240, `Prefer: wait`). */
import { type Call, type Http, sleep } from "./http.ts";

/** Seconds at a time: less than what proxies allow a request. */
const WAIT = 50;
/** Milliseconds between two looks, where something on the way does not let the service wait. */
const LOOK_EVERY = 1_000;

export interface WaitOptions {
  /** Ends the waiting, not the task. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the waiting, not the task, ends with a `TimeoutError`. */
  readonly timeout?: number;
}

/** Asks for what is at `path` until it is `done`. */
export async function waitFor<T>(
  http: Http,
  path: string,
  signal: AbortSignal | undefined,
  done: (view: T) => boolean,
): Promise<T> {
  const call: Call = {
    method: "GET",
    path,
    headers: { prefer: `wait=${WAIT}` },
    patience: WAIT * 1000,
    signal,
  };
  while (true) {
    const asked = performance.now();
    const view = await http.json<T>(call);
    if (done(view)) return view;
    await sleep(Math.max(0, asked + LOOK_EVERY - performance.now()), signal);
  }
}

/** Runs `work` with a signal that also aborts after `timeout`. */
export async function within<T>(
  { signal, timeout }: WaitOptions,
  work: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (timeout === undefined) return await work(signal);
  const late = new AbortController();
  const reason = new DOMException(`Not within ${timeout} ms.`, "TimeoutError");
  const timer = setTimeout(() => late.abort(reason), timeout);
  try {
    return await work(signal ? AbortSignal.any([signal, late.signal]) : late.signal);
  } finally {
    clearTimeout(timer);
  }
}
