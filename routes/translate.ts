import { HTTPException } from "hono/http-exception";
import {
  IdConflict,
  IdempotencyGone,
  IdempotencyReused,
  QueueFull,
  UniqueConflict,
  WrongStatus,
} from "../queue/errors.ts";
import { FileError, type FileFault } from "../queue/files/files.ts";
import { Problem, type ProblemCode } from "./problem.ts";

/** What an error is to the client; `undefined` for one that nobody expected. */
export function asProblem(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof QueueFull) {
    const seconds = String(Math.max(1, Math.ceil(error.retryAfter)));
    return new Problem("queue-full", undefined, { headers: { "retry-after": seconds } });
  }
  if (error instanceof IdConflict || error instanceof UniqueConflict) return conflict(error, "#");
  if (error instanceof IdempotencyReused) return new Problem("idempotency-key-reused");
  if (error instanceof IdempotencyGone) {
    return new Problem("task-expired", "What was made under this idempotency key is gone: use a new key.");
  }
  if (error instanceof WrongStatus) {
    return new Problem(error.finished ? "task-already-finished" : "task-not-finished");
  }
  if (error instanceof FileError) return new Problem(OF_FILES[error.fault]);
  if (error instanceof HTTPException) return fromException(error);
  return undefined;
}

/** @param at where in the body the task stands */
export function conflict(error: IdConflict | UniqueConflict, at: string): Problem {
  if (error instanceof UniqueConflict) {
    const errors = [{ pointer: `${at}/uniqueKey/key`, detail: `is in use by the task ${error.id}` }];
    return new Problem("unique-conflict", `The task ${error.id} has the unique key.`, { errors });
  }
  const errors = [{ pointer: `${at}/id`, detail: "is in use by a task of other type, input or metadata" }];
  const detail = "They are compared as JSON text: the same in another order of keys is other content.";
  return new Problem("unique-conflict", detail, { errors });
}

const OF_FILES: Readonly<Record<FileFault, ProblemCode>> = {
  "too-large": "body-too-large",
  "no-room": "insufficient-storage",
  "in-use": "file-in-use",
  "not-a-file": "file-not-found",
};

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
