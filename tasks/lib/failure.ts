/**
 * Thrown by a handler that knows what went wrong: `code` is from the vocabulary in `docs/failures.md`, or the
 * handler's own. Anything else that a handler throws becomes `handler_error`, which is retried.
 */
export class TaskFailure extends Error {
  override name = "TaskFailure";
  readonly code: string;
  readonly retryable: boolean;
  /** Milliseconds the next attempt should wait at least, such as an upstream's `Retry-After`. */
  readonly retryAfter: number | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: string, message: string, options: FailureOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfter = options.retryAfter;
    this.details = options.details;
  }
}

export interface FailureOptions {
  /** Whether the same attempt could succeed when made again; `false` unless said. */
  retryable?: boolean;
  retryAfter?: number;
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** Thrown by a handler to say: do not try again. */
export class NonRetryableError extends TaskFailure {
  override name = "NonRetryableError";
  constructor(message: string, options: { details?: Record<string, unknown>; cause?: unknown } = {}) {
    super("handler_error", message, { ...options, retryable: false });
  }
}
