import { HTTPException } from "hono/http-exception";
import { IdConflict, QueueFull, WrongStatus } from "../queue/errors.ts";
import { Problem, type ProblemCode } from "./problem.ts";

/** What an error is to the client; `undefined` for one that nobody expected. */
export function asProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof QueueFull) {
    const seconds = String(Math.max(1, Math.ceil(error.retryAfter)));
    return new Problem("queue-full", undefined, { headers: { "retry-after": seconds } });
  }
  if (error instanceof IdConflict) {
    const errors = [{ pointer: "#/id", detail: "is in use by a task of other type, input or metadata" }];
    const detail = "They are compared as JSON text: the same in another order of keys is other content.";
    return new Problem("unique-conflict", detail, { errors });
  }
  if (error instanceof WrongStatus) {
    return new Problem(error.finished ? "task-already-finished" : "task-not-finished");
  }
  if (error instanceof HTTPException) return fromException(error);
  return undefined;
}

/** What exceptions without a code of their own are, by status. */
const GENERAL: Readonly<Record<number, ProblemCode>> = {
  401: "unauthenticated",
  403: "forbidden",
  404: "not-found",
  405: "method-not-allowed",
  408: "request-timeout",
  413: "body-too-large",
  415: "unsupported-media-type",
  422: "validation-failed",
  429: "rate-limited",
};

/** An exception of Hono's middleware, with its headers: `WWW-Authenticate` would be lost otherwise. */
function fromException(exception: HTTPException): Problem | undefined {
  const code = GENERAL[exception.status] ?? (exception.status < 500 ? "bad-request" : undefined);
  if (code === undefined) return undefined;
  const headers = Object.fromEntries(exception.getResponse().headers);
  delete headers["content-length"];
  return new Problem(code, exception.message || undefined, { headers });
}
