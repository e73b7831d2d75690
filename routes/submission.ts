import { z } from "zod";
import { AllowList, parseDuration, type TaskDefinition } from "../tasks/mod.ts";
import type { Registry } from "../tasks/lib/registry.ts";
import type { NewTask } from "../queue/task.ts";
import type { Extras } from "../queue/task.ts";
import { type AppDeps, RETRY_AFTER } from "./deps.ts";
import { holdFiles } from "./given_files.ts";
import { flawsOf, pointer } from "./json.ts";
import { type Flaw, invalid, Problem } from "./problem.ts";
import type { Caller } from "./admit.ts";
import { checkTarget, DELIVERY, depthOf, webhookOf, webhookSchema } from "./webhooks.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The id in the form in which tasks have it; `undefined` where no task can have it. */
export function taskId(text: string): string | undefined {
  return UUID.test(text) ? text.toLowerCase() : undefined;
}

const DAY = 86_400_000;
/** The last millisecond that RFC 3339 can write. */
const LAST_TIME = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
/** Beyond about 24.8 days timers of JavaScript overflow and fire at once. */
const MAX_TIMEOUT = 24 * DAY;
const MAX_DELAY = 36_500 * DAY;
const MAX_METADATA = { entries: 64, bytes: 16 * 1024 };

/** Milliseconds since the epoch, of RFC 3339. */
export const instant = z.iso.datetime({ offset: true, error: "must be a time such as 2030-01-31T12:00:00Z" })
  .transform((text) => Date.parse(text))
  .refine((at) => at >= -LAST_TIME && at <= LAST_TIME, "must be a time before the year 10000");

function duration(least: number, most: number, range: string) {
  return z.string().transform((text, context) => {
    const value = parseDuration(text);
    if (value !== undefined && value >= least && value <= most) return value;
    context.addIssue({ code: "custom", message: `must be a duration such as "30s", ${range}` });
    return z.NEVER;
  });
}

const metadata = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.null()], "must be a string, number, boolean or null"),
)
  .refine((entries) => Object.keys(entries).length <= MAX_METADATA.entries, "must have at most 64 entries")
  .transform((entries) => JSON.stringify(entries))
  .refine(
    (text) => new TextEncoder().encode(text).length <= MAX_METADATA.bytes,
    "must be at most 16 KiB of JSON",
  );

const uniqueKey = z.strictObject({
  key: z.string().min(1).max(255),
  for: z.union([z.literal("active"), duration(1, MAX_DELAY, 'of at most 36500d, or "active"')]).default(
    "active",
  )
    .meta({
      description: "How long the task has the key: while it is unfinished, or so long from its creation.",
      examples: ["active", "24h"],
    }),
  onConflict: z.enum(["return", "reject", "replace"]).default("return").describe(
    "What becomes of this one where another task of the type has the key: the other is answered, this one is " +
      "refused, or the other is cancelled.",
  ),
}).describe("At most one task of the type and owner has the key.");

/** The body of `POST /v1/tasks`, without what its type says of the input. */
export const envelope = z.strictObject({
  type: z.string().describe("Which work: a type of `GET /v1/types`."),
  input: z.unknown().describe("What its type's schema allows."),
  id: z.string().regex(UUID, "must be a UUID").optional().describe(
    "The task's id, chosen by the client: a repeat of the same request answers the same task.",
  ),
  runAt: instant.optional().describe("Not before this time. RFC 3339."),
  delay: duration(0, MAX_DELAY, "of at most 36500d").optional().meta({
    description: "Not before this much time has passed, such as `30s`, `1h 5m` or `PT30S`.",
    examples: ["1h 5m"],
  }),
  priority: z.int().min(-100).max(100).optional().describe(
    "Higher goes first; first come, first served among equals. 0 unless given.",
  ),
  timeout: duration(1, MAX_TIMEOUT, "from 1ms to 24d").optional().meta({
    description: "Of one attempt. The type's own unless given.",
    examples: ["30s"],
  }),
  maxAttempts: z.int().min(1).max(100).optional().describe("The type's own unless given."),
  metadata: metadata.optional().describe("Comes back with the task: at most 64 entries and 16 KiB."),
  uniqueKey: uniqueKey.optional(),
  webhook: webhookSchema.optional(),
  parent: z.string().regex(UUID, "must be a UUID").optional().describe(
    "The id of the task that this is for.",
  ),
});

/** Where a submission comes from. */
export interface Origin {
  readonly caller: Caller;
  readonly headers: Headers;
}

/** W3C Trace Context, 3.2; later versions may say more at the end. */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]{1,200})?$/;

/**
 * What tasks of the type are made by.
 *
 * @param at where in the body the task stands, if there
 * @throws {Problem} where they cannot run now
 */
export function definitionOf(
  registry: Registry,
  type: string,
  at?: readonly PropertyKey[],
): TaskDefinition {
  const entry = registry.get(type);
  if (entry === undefined) {
    const detail = "is not a known task type; GET /v1/types lists them";
    throw new Problem("unknown-task-type", undefined, {
      errors: at && [{ pointer: pointer([...at, "type"]), detail }],
    });
  }
  if (entry.definition === undefined || entry.unavailable !== undefined) {
    const headers = { "retry-after": String(RETRY_AFTER.unavailable) };
    throw new Problem("type-unavailable", entry.unavailable, { headers });
  }
  return entry.definition;
}

/** Turns bodies into tasks: for each all that can be wrong with it is found here, before the store sees it. */
export class Submissions {
  constructor(
    private readonly deps: Pick<AppDeps, "registry" | "newId" | "now" | "log" | "files" | "egress">,
  ) {}

  /**
   * @param at where in the body it stands
   * @throws {Problem}
   */
  async draft(body: unknown, origin: Origin, at: readonly PropertyKey[] = []): Promise<NewTask> {
    const { owner } = origin.caller;
    const parsed = envelope.safeParse(body);
    if (!parsed.success) throw failed(flawsOf(parsed.error.issues, at));
    const { type, input, id, runAt, delay, priority, timeout, maxAttempts, metadata } = parsed.data;
    // A task without input has `{}` or `null`: what a forgotten field means would be a guess.
    if (input === undefined) throw invalid(pointer([...at, "input"]), "is required");
    if (runAt !== undefined && delay !== undefined) {
      throw invalid(pointer([...at, "delay"]), "must not be combined with runAt");
    }

    const definition = definitionOf(this.deps.registry, type, at);
    // Before the schema sees it: it is stored as it was sent, whatever a transform does to it.
    const text = JSON.stringify(input);
    await this.#check(definition, input, at);
    const own = id === undefined ? this.deps.newId() : id.toLowerCase();
    if (definition.files) await holdFiles(this.deps.files, owner, own, input, at);
    const start = delay === undefined ? runAt : this.deps.now() + delay;
    return {
      id: own,
      type,
      owner,
      input: text,
      metadata,
      priority: priority ?? 0,
      maxAttempts: maxAttempts ?? definition.maxAttempts,
      timeout: timeout ?? definition.timeout,
      runAt: start !== undefined && start > this.deps.now() ? start : undefined,
      extras: this.#extras(parsed.data, origin, at),
    };
  }

  /** What most submissions have none of. */
  #extras(
    { type, uniqueKey, webhook, parent }: z.output<typeof envelope>,
    { caller, headers }: Origin,
    at: readonly PropertyKey[],
  ): Extras | undefined {
    const hook = webhook ? webhookOf(webhook) : type === DELIVERY ? undefined : caller.webhook;
    const traceparent = headers.get("traceparent") ?? undefined;
    if (!uniqueKey && !hook && parent === undefined && traceparent === undefined) return undefined;
    // What is no trace context is to be ignored: W3C Trace Context, 3.2.2.
    const trace = traceparent !== undefined && TRACEPARENT.test(traceparent) ? { traceparent } : {};
    if (webhook) {
      checkTarget(webhook.url, this.deps.egress ?? AllowList.NOTHING, pointer([...at, "webhook", "url"]));
    }
    const extras: Extras = {
      ...trace,
      ...(parent !== undefined && { parent: parent.toLowerCase() }),
      ...(uniqueKey && {
        uniqueKey: {
          key: uniqueKey.key,
          onConflict: uniqueKey.onConflict,
          ...(uniqueKey.for !== "active" && { keep: uniqueKey.for }),
        },
      }),
      ...(hook && { webhook: hook, depth: depthOf(headers, pointer([...at, "webhook"])) }),
    };
    return Object.keys(extras).length === 0 ? undefined : extras;
  }

  async #check(definition: TaskDefinition, input: unknown, at: readonly PropertyKey[]): Promise<void> {
    // Never `safeParse`: it leaves the promise of an asynchronous refinement behind, whose rejection nobody handles.
    const result = await definition.input.safeParseAsync(input).catch((error) => {
      throw this.#broken(error, at);
    });
    if (!result.success) throw failed(flawsOf(result.error.issues, [...at, "input"]));
  }

  /** A schema that throws is its author's mistake, but it did not accept the input. */
  #broken(error: unknown, at: readonly PropertyKey[]): Problem {
    this.deps.log?.(error, "-");
    return invalid(pointer([...at, "input"]), "could not be checked");
  }
}

function failed(errors: Flaw[]): Problem {
  return new Problem("validation-failed", undefined, { errors });
}
