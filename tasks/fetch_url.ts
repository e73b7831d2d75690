import { z } from "zod";
import { type Answered, answered, fileNameOf, jsonOf, kindOf, KINDS } from "./lib/fetch/answer.ts";
import { remember, rememberedIn } from "./lib/fetch/remember.ts";
import { requestHeaders, shownHeaders } from "./lib/fetch/headers.ts";
import { Hide } from "./lib/fetch/hide.ts";
import { FETCH_SECRET, secretFlaw, secretFor } from "./lib/fetch/secrets.ts";
import { Room } from "./lib/web/room.ts";
import { decodeText } from "./lib/web/charset.ts";
import { Lanes } from "./lib/web/lanes.ts";
import { pointer } from "./lib/web/pointer.ts";
import { secretsIn } from "./lib/web/secrets.ts";
import { upstreamStatus } from "./lib/web/upstream.ts";
import {
  defineTask,
  type Fetched,
  guardedFetch,
  parseDuration,
  target,
  type TaskContext,
  TaskFailure,
} from "./mod.ts";

const REQUESTS_MAX = 100;
/** Bytes of a body that goes into memory, and from there into the result. */
const BODY_MAX = 4 * 2 ** 20;
/** Characters of all that one task keeps. */
const BODIES_MAX = 16 * 2 ** 20;
/** Failures that are told one by one: an error's details are short. */
const TOLD_MAX = 30;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
/** Methods that do something each time that they are asked: RFC 9110, section 9.2.2. */
const NOT_IDEMPOTENT = new Set<string>(["POST", "PATCH"]);
const BODILESS = new Set([204, 205, 304]);

const timeout = z.string().max(64).transform((text, context) => {
  const value = parseDuration(text);
  if (value !== undefined && value >= 1 && value <= 600_000) return value;
  context.addIssue({ code: "custom", message: 'must be a duration such as "10s", 10 minutes at most' });
  return z.NEVER;
});

const request = z.strictObject({
  url: target,
  method: z.enum(METHODS).default("GET"),
  headers: requestHeaders.default({}),
  /** A text goes out as it is, anything else as JSON. */
  body: z.unknown().optional(),
  /** What becomes of the answer; its content type decides where nobody says. */
  as: z.enum(KINDS).optional(),
  /** Of an answer in JSON, this alone. */
  select: pointer.optional(),
  /** An `ETag` of an earlier answer: 304 is the answer where nothing has changed. */
  ifNoneMatch: z.string().max(1_000).regex(
    /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/,
    'must be an ETag, such as "\\"abc\\""',
  )
    .optional(),
  /** A `Last-Modified` of an earlier answer, to the same end. */
  ifModifiedSince: z.string().max(100)
    .regex(/^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/, "must be an HTTP date").optional(),
  /** Any status is an answer; otherwise 4xx and 5xx are failures. */
  anyStatus: z.boolean().default(false),
  timeout: timeout.default(30_000),
}).superRefine(({ url, method, headers, body, as, select }, { addIssue }) => {
  const issue = (path: string[], message: string) => addIssue({ code: "custom", path, message });
  if (body !== undefined && (method === "GET" || method === "HEAD")) {
    issue(["body"], `goes with no ${method}`);
  }
  if (select !== undefined && as !== undefined && as !== "json") {
    issue(["select"], `is for JSON, not for ${as}`);
  }
  for (const [name, value] of Object.entries(headers)) {
    const flaw = typeof value === "string" ? undefined : secretFlaw(value, url);
    if (flaw) issue(["headers", name, "secret"], flaw);
  }
});
type Request = z.output<typeof request>;

const failed = z.strictObject({
  error: z.strictObject({
    code: z.string(),
    message: z.string(),
    retryable: z.boolean(),
    /** Of `upstream_status`. */
    status: z.int().optional(),
  }),
});

export default defineTask({
  description: "Makes HTTP requests, several at once, and keeps what is answered as JSON, text or files.",
  input: z.strictObject({
    requests: z.array(request).min(1).max(REQUESTS_MAX),
    /** Requests at once. */
    concurrency: z.int().min(1).max(16).default(4),
    /** To one host. */
    perHost: z.int().min(1).max(16).default(4),
    /** The first failure ends the others. */
    failFast: z.boolean().default(false),
    /** A request that fails has its error where its answer would be, and the task succeeds. */
    allowFailures: z.boolean().default(false),
  }).refine(({ failFast, allowFailures }) => !(failFast && allowFailures), {
    path: ["allowFailures"],
    message: "does not go with failFast",
  }).meta({
    examples: [{
      requests: [{ url: "https://api.github.com/repos/denoland/deno", select: "/stargazers_count" }],
    }],
  }),
  /** In the order of the requests. */
  result: z.strictObject({ responses: z.array(z.union([answered, failed])) }),
  permissions: ({ env }) => ({ net: true, env: secretsIn(env, FETCH_SECRET) }),
  files: true,
  concurrency: 16,
  tasksPerWorker: 8,
  memory: 1_024,
  timeout: "2m",
  maxAttempts: 5,
  async run({ requests, concurrency, perHost, failFast, allowFailures }, context) {
    const { signal, progress } = context;
    const failing = new AbortController();
    const ends = AbortSignal.any([signal, failing.signal]);
    const lanes = new Lanes(concurrency, perHost);
    const room = new Room(BODY_MAX, BODIES_MAX);
    const answers = rememberedIn(context.checkpoint);
    let done = 0;
    const outcomes = await Promise.all(
      requests.map((request, index) =>
        lanes.run(new URL(request.url).host, async () => {
          try {
            ends.throwIfAborted();
            const answer = answers.get(index) ??
              await answerTo(request, `${context.id}-${index}`, context, ends, room);
            answers.set(index, answer);
            return answer;
          } catch (error) {
            signal.throwIfAborted();
            if (!(error instanceof TaskFailure)) throw error;
            if (failFast) failing.abort(error);
            return error;
          } finally {
            progress(++done, requests.length);
          }
        })
      ),
    );
    const failures = outcomes.flatMap((outcome, index) =>
      outcome instanceof TaskFailure ? [{ request: index, failure: outcome }] : []
    );
    if (failures.length > 0 && !allowFailures) {
      const failure = failFast ? failing.signal.reason : together(failures, outcomes.length);
      if (failure.retryable && answers.size > 0) await remember(answers, context.checkpoint);
      throw failure;
    }
    return {
      responses: outcomes.map((outcome) =>
        outcome instanceof TaskFailure ? { error: told(outcome) } : outcome
      ),
    };
  },
});

/** Makes one request. */
async function answerTo(
  { url, method, headers, body, as, select, ifNoneMatch, ifModifiedSince, anyStatus, timeout }: Request,
  key: string,
  context: TaskContext,
  signal: AbortSignal,
  room: Room,
): Promise<Answered> {
  const { host } = new URL(url);
  const sent = new Headers();
  if (body !== undefined) {
    sent.set("content-type", typeof body === "string" ? "text/plain;charset=UTF-8" : "application/json");
  }
  // The same in every attempt: servers that know it do the work once.
  if (NOT_IDEMPOTENT.has(method)) sent.set("idempotency-key", key);
  if (ifNoneMatch !== undefined) sent.set("if-none-match", ifNoneMatch);
  if (ifModifiedSince !== undefined) sent.set("if-modified-since", ifModifiedSince);
  const secrets = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (typeof value !== "string") secrets.set(name, secretFor(value, url));
    sent.set(name, typeof value === "string" ? value : value.prefix + secrets.get(name));
  }
  const hide = new Hide([...secrets.values()]);
  const started = performance.now();
  const answer = await guardedFetch(url, {
    method,
    headers: sent,
    body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
    signal,
    timeout,
    // Files end at FILE_MAX, the others in `room`.
    maxBytes: Number.MAX_SAFE_INTEGER,
    credentials: [...secrets.keys()],
  });
  const { status } = answer;
  if (status >= 400 && !anyStatus) {
    await answer.body.cancel();
    throw upstreamStatus(host, status, answer.headers);
  }
  const kept = await content(answer, { host, method, as, select }, hide, context, room);
  return {
    status,
    ...(answer.url !== new URL(url).href && { url: answer.url }),
    headers: shownHeaders(answer.headers, hide.text),
    ...kept,
    ms: Math.round(performance.now() - started),
  };
}

async function content(
  answer: Fetched,
  { host, method, as, select }: Pick<Request, "method" | "as" | "select"> & { host: string },
  hide: Hide,
  context: TaskContext,
  room: Room,
): Promise<Pick<Answered, "body" | "file" | "name" | "contentType" | "size">> {
  if (method === "HEAD" || BODILESS.has(answer.status)) {
    await answer.body.cancel();
    return {};
  }
  const contentType = answer.headers.get("content-type");
  const kind = as ?? (select === undefined ? kindOf(contentType) : "json");
  if (kind === "file") {
    const name = fileNameOf(answer);
    return await context.files.write(hide.bytes(answer.body), {
      ...(name && { name }),
      ...(contentType && { contentType }),
    });
  }
  const bytes = await room.read(answer.body, host);
  return {
    body: room.keep(
      kind === "json" ? jsonOf(bytes, host, select, hide) : hide.text(decodeText(bytes, contentType)),
    ),
  };
}

/** What becomes of several requests of which some failed. */
function together(failures: { request: number; failure: TaskFailure }[], all: number): TaskFailure {
  if (all === 1) return failures[0]!.failure;
  const waits = failures.flatMap(({ failure }) => failure.retryAfter ?? []);
  return new TaskFailure("partial_failure", `${failures.length} of ${all} requests failed.`, {
    // One that fails for good fails the task, whatever becomes of the others.
    retryable: failures.every(({ failure }) => failure.retryable),
    ...(waits.length > 0 && { retryAfter: Math.max(...waits) }),
    details: {
      succeeded: all - failures.length,
      failed: failures.length,
      failures: failures.slice(0, TOLD_MAX).map(({ request, failure: { code, details } }) => ({
        request,
        code,
        ...details,
      })),
    },
  });
}

function told({ code, message, retryable, details }: TaskFailure): z.output<typeof failed>["error"] {
  const { status } = details ?? {};
  return { code, message, retryable, ...(typeof status === "number" && { status }) };
}
