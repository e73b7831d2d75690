/** What goes wrong between a client and the service. */
import type { Flaw, ProblemCode } from "../routes/problem.ts";

/**
 * Codes that the client itself gives: the service was not reached, answered what is not its own (a proxy in between),
 * or answered what cannot be read.
 */
type OwnCode = "unreachable" | "http-error" | "unreadable-answer";

interface ProblemFields {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly errors?: readonly Flaw[];
  readonly requestId?: string;
}

/** The service said no (RFC 9457), or could not be asked. All that the client throws but aborts and timeouts. */
export class ErrandProblem extends Error {
  override readonly name = "ErrandProblem";
  /** What programs go by; what each means is at `/problems/{code}` of the service. */
  readonly code: ProblemCode | OwnCode | (string & Record<never, never>);
  /** Of HTTP; 0 where there was no answer. */
  readonly status: number;
  readonly title: string;
  /** What was wrong this time. */
  readonly detail: string | undefined;
  /** Every wrong place of the request's body, by JSON Pointer. */
  readonly errors: readonly Flaw[];
  /** Finds the request in the service's log. */
  readonly requestId: string | undefined;
  /** Milliseconds after which the service asked to be asked again. */
  readonly retryAfter: number | undefined;

  constructor(fields: ProblemFields, options: { retryAfter?: number; cause?: unknown } = {}) {
    super(messageOf(fields), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = fields.code;
    this.status = fields.status;
    this.title = fields.title;
    this.detail = fields.detail;
    this.errors = fields.errors ?? [];
    this.requestId = fields.requestId;
    this.retryAfter = options.retryAfter;
  }
}

function messageOf({ title, detail, errors = [] }: ProblemFields): string {
  const flaws = errors.map(({ pointer, detail }) => `${pointer} ${detail}`);
  return [title, detail, ...flaws].filter((part) => part !== undefined).join("; ");
}

/** What an answer that is not 2xx says. */
export async function problemOf(response: Response): Promise<ErrandProblem> {
  const { status, headers } = response;
  const options = { retryAfter: retryAfterOf(headers) };
  const text = await response.text();
  if (/^application\/problem\+json\b/i.test(headers.get("content-type") ?? "")) {
    try {
      return new ErrandProblem({ ...JSON.parse(text), status }, options);
    } catch { /* Cut short, or not what it says it is. */ }
  }
  const title = `The answer was ${status} ${response.statusText}`.trim();
  const detail = "It is not from Errand: is the URL right, is there a proxy in between?";
  return new ErrandProblem({ code: "http-error", status, title, detail }, options);
}

/** No answer at all. */
export function unreachable(url: string, cause: unknown): ErrandProblem {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new ErrandProblem({ code: "unreachable", status: 0, title: `No answer from ${url}`, detail }, {
    cause,
  });
}

/** Milliseconds of `Retry-After` (RFC 9110, 10.2.3): seconds, or a date. */
export function retryAfterOf(headers: Headers): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(0, wait);
}
