import { type AllowList, configuredAllowList } from "./allow.ts";
import { blocked, tooManyRedirects, upstreamTimeout } from "./failures.ts";
import type { Request } from "./request.ts";
import { hostOf, targetFlaw } from "./target.ts";

export interface FetchOptions {
  /** `"GET"`. */
  method?: string;
  headers?: HeadersInit;
  body?: string | Uint8Array;
  signal?: AbortSignal;
  /** Milliseconds for all of it: name, connection, redirects, body; 30,000. */
  timeout?: number;
  /** Bytes of the body at most, inflated; 10 MiB. */
  maxBytes?: number;
  /** Inflated bytes for each one received, beyond the first MiB; 200. */
  maxRatio?: number;
  /** 5; with 0 a redirect is answered as it is. */
  maxRedirects?: number;
  /** Names of headers that stay behind when a redirect changes the origin, besides those that always do. */
  credentials?: readonly string[];
  /** Called when a request is about to go out: from then on it may have been received, whatever is thrown. */
  onSend?: () => void;
  /** What may be reached besides public addresses; `EGRESS_ALLOW`. */
  allow?: AllowList;
}

/** An answer whose body is still to come. Read it or cancel it: the connection is kept until then. */
export interface Fetched {
  readonly status: number;
  readonly headers: Headers;
  /** Where the redirects led. */
  readonly url: string;
  /** Errors as `guardedFetch` does. */
  readonly body: ReadableStream<Uint8Array>;
  bytes(): Promise<Uint8Array>;
  /** As UTF-8. */
  text(): Promise<string>;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Meant for one origin and no other. */
const CREDENTIALS = ["authorization", "cookie", "proxy-authorization"];
const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * `fetch` for URLs that others have chosen: http and https only, to public addresses and what `EGRESS_ALLOW` admits.
 * Every address is checked, and the connection goes to the checked one; so again for every redirect, where credentials
 * stay behind when the origin changes. Size, ratio of decompression and time are bounded. For types with
 * `permissions: { net: true }`.
 *
 * @throws {TaskFailure} `egress_blocked`, `dns_failure`, `connect_failure`, `tls_failure`, `upstream_timeout`,
 * `too_many_redirects`, `response_too_large`, `unsupported_format`: see `docs/failures.md`
 * @throws the signal's reason
 */
export async function guardedFetch(target: string | URL, options: FetchOptions = {}): Promise<Fetched> {
  const { timeout = 30_000, maxBytes = 10 * 2 ** 20, maxRatio = 200, maxRedirects = 5 } = options;
  const { allow = configuredAllowList(), credentials = [] } = options;
  // The API process, which sends nothing, is spared `node:http`: 40 ms of its start.
  const [{ connect }, { request }, { bodyOf, ENCODINGS }] = await Promise.all([
    import("./connect.ts"),
    import("./request.ts"),
    import("./body.ts"),
  ]);
  let next = requestOf(target, options, ENCODINGS);
  const deadline = new AbortController();
  const timer = setTimeout(
    () => deadline.abort(upstreamTimeout(hostOf(next.url), timeout)),
    Math.min(timeout, LONGEST_TIMER),
  );
  const signal = options.signal ? AbortSignal.any([options.signal, deadline.signal]) : deadline.signal;
  try {
    for (let redirects = 0;; redirects++) {
      const { url } = next;
      const host = hostOf(url);
      const flaw = targetFlaw(url, allow);
      if (flaw) throw blocked(host, flaw);
      const connection = await connect(url, allow, signal);
      options.onSend?.();
      const message = await request(next, connection, signal);
      const location = REDIRECTS.has(message.statusCode!) ? message.headers.location : undefined;
      if (location === undefined || maxRedirects === 0) {
        const end = () => {
          clearTimeout(timer);
          message.destroy();
        };
        const body = streamed(bodyOf(message, next, { maxBytes, maxRatio }), signal, end);
        return fetched(message.statusCode!, headersOf(message.rawHeaders), url.href, body);
      }
      message.destroy();
      if (redirects === maxRedirects) throw tooManyRedirects(hostOf(url), maxRedirects);
      next = redirected(next, location, message.statusCode!, credentials);
    }
  } catch (error) {
    clearTimeout(timer);
    throw error;
  }
}

function requestOf(
  target: string | URL,
  { method, headers, body }: FetchOptions,
  encodings: string,
): Request {
  const url = URL.parse(target);
  if (!url) throw blocked("nowhere", "must be an absolute URL");
  const all = new Headers({ accept: "*/*", "user-agent": "errand" });
  for (const [name, value] of new Headers(headers)) all.set(name, value);
  all.set("accept-encoding", encodings);
  return { url, method: (method ?? "GET").toUpperCase(), headers: all, body };
}

/** What a redirect asks for: WHATWG Fetch, "HTTP-redirect fetch". */
function redirected(
  { url: from, method, headers, body }: Request,
  location: string,
  status: number,
  credentials: readonly string[],
): Request {
  const url = URL.parse(location, from);
  if (!url) throw blocked(hostOf(from), "redirects to what is no URL");
  const kept = new Headers(headers);
  if (url.origin !== from.origin) { for (const name of [...CREDENTIALS, ...credentials]) kept.delete(name); }
  const get = status === 303 ? method !== "HEAD" : status <= 302 && method === "POST";
  if (!get) return { url, method, headers: kept, body };
  for (const name of [...kept.keys()]) if (name.startsWith("content-")) kept.delete(name);
  return { url, method: "GET", headers: kept, body: undefined };
}

/** Pulled piece by piece by whoever reads. `end` is called once nothing more comes, for whichever reason. */
function streamed(
  chunks: AsyncGenerator<Uint8Array>,
  signal: AbortSignal,
  end: () => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      try {
        const { value, done } = await chunks.next();
        // A body that only the connection's end ends looks whole when it was broken off.
        signal.throwIfAborted();
        if (!done) return controller.enqueue(value);
        end();
        controller.close();
      } catch (error) {
        end();
        throw signal.aborted ? signal.reason : error;
      }
    },
    cancel: end,
  }, { highWaterMark: 0 });
}

function fetched(status: number, headers: Headers, url: string, body: ReadableStream<Uint8Array>): Fetched {
  const whole = () => new Response(body as ReadableStream<Uint8Array<ArrayBuffer>>);
  return { status, headers, url, body, bytes: () => whole().bytes(), text: () => whole().text() };
}

/** @param raw names and values in turn */
function headersOf(raw: readonly string[]): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < raw.length; i += 2) headers.append(raw[i]!, raw[i + 1]!);
  return headers;
}
