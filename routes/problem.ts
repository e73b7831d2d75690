/** Errors as clients see them: RFC 9457 problems. */
import { SERVICE_DESC } from "./reply.ts";

/** Every problem there is: its status and title. */
export const PROBLEMS = {
  "malformed-json": [400, "The body is not JSON"],
  "invalid-encoding": [400, "The body is not UTF-8"],
  "payload-too-deep": [400, "The body is nested too deeply"],
  "invalid-idempotency-key": [400, "The idempotency key is malformed"],
  "bad-request": [400, "The request cannot be understood"],
  "unauthenticated": [401, "Credentials are missing or wrong"],
  "forbidden": [403, "This is not allowed"],
  "not-found": [404, "There is nothing here"],
  "task-not-found": [404, "There is no such task"],
  "batch-not-found": [404, "There is no such batch"],
  "file-not-found": [404, "There is no such file"],
  "result-not-ready": [404, "There is no result"],
  "method-not-allowed": [405, "The method is not allowed here"],
  "request-timeout": [408, "The body did not arrive"],
  "idempotency-in-progress": [409, "The first request with this key is still under way"],
  "task-already-finished": [409, "The task has already finished"],
  "task-not-finished": [409, "The task has not finished"],
  "unique-conflict": [409, "What has to be unique is in use"],
  "file-in-use": [409, "A task that has not finished uses the file"],
  "task-expired": [410, "The task has expired"],
  "length-required": [411, "The body must say how long it is"],
  "body-too-large": [413, "The body is too large"],
  "unsupported-media-type": [415, "The body is of a kind that is not taken here"],
  "range-not-satisfiable": [416, "The file has no such range of bytes"],
  "validation-failed": [422, "The request is not valid"],
  "idempotency-key-reused": [422, "The idempotency key was used for another request"],
  "unknown-task-type": [422, "There is no such task type"],
  "target-not-allowed": [422, "The task may not reach this address"],
  "rate-limited": [429, "Too many requests"],
  "internal-error": [500, "Something went wrong here"],
  "queue-full": [503, "The queue is full"],
  "draining": [503, "The service is shutting down"],
  "type-unavailable": [503, "The task type is unavailable"],
  "insufficient-storage": [507, "There is no room for more files"],
} as const satisfies Readonly<Record<string, readonly [status: number, title: string]>>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One wrong place in the request's body. */
export interface Flaw {
  /** A JSON pointer as a URI fragment, such as `#/input/to/0`. */
  readonly pointer: string;
  readonly detail: string;
}

export interface ProblemOptions {
  /** The connection ends behind the answer: what the client still sends is not even thrown away. */
  readonly cut?: boolean;
  readonly errors?: readonly Flaw[];
  readonly headers?: Readonly<Record<string, string>>;
}

/** Thrown by a route; the client gets it as `application/problem+json`. */
export class Problem extends Error {
  override name = "Problem";
  readonly errors: readonly Flaw[] | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly cut: boolean;

  /** @param detail what is wrong this time, in a sentence */
  constructor(readonly code: ProblemCode, readonly detail?: string, options: ProblemOptions = {}) {
    super(detail ?? PROBLEMS[code][1]);
    this.errors = options.errors;
    this.headers = options.headers;
    this.cut = options.cut ?? false;
  }
}

/** A 422 for one wrong place. */
export function invalid(pointer: string, detail: string): Problem {
  return new Problem("validation-failed", undefined, { errors: [{ pointer, detail }] });
}

const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The client's own id of the request where it is harmless, a new one otherwise. */
export function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id");
  return given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID();
}

/** The path as it was sent, so still percent-encoded. */
export function pathOf(request: Request): string {
  return /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(request.url)?.[1] || "/";
}

/** @param options `base`: where the service is mounted */
export function problemResponse(
  problem: Problem,
  request: Request,
  { requestId = requestIdOf(request), base = "" }: { requestId?: string; base?: string } = {},
): Response {
  const { code, detail, errors, headers } = problem;
  const [status, title] = PROBLEMS[code];
  const type = `${base}/problems/${code}`;
  const instance = pathOf(request);
  const body = JSON.stringify({ type, title, status, detail, instance, code, requestId, errors });
  return new Response(problem.cut ? thenCut(body) : body, {
    status,
    headers: {
      ...headers,
      ...SERVICE_DESC,
      "content-type": "application/problem+json",
      "x-content-type-options": "nosniff",
      "x-request-id": requestId,
    },
  });
}

/** The server ends a connection whose answer breaks off. */
function thenCut(text: string): ReadableStream<Uint8Array> {
  let said = false;
  return new ReadableStream({
    pull(controller) {
      if (said) return controller.error(new DOMException("The connection is cut.", "AbortError"));
      said = true;
      controller.enqueue(new TextEncoder().encode(text));
    },
  });
}
