import { z } from "zod";
import { parseDuration, type TaskDefinition } from "../tasks/mod.ts";
import type { Registry } from "../tasks/lib/registry.ts";
import type { NewTask } from "../queue/task.ts";
import { RETRY_AFTER } from "./deps.ts";
import { flawsOf } from "./json.ts";
import { type Flaw, invalid, Problem } from "./problem.ts";

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

const envelope = z.strictObject({
  type: z.string(),
  input: z.unknown(),
  id: z.string().regex(UUID, "must be a UUID").optional(),
  runAt: instant.optional(),
  delay: duration(0, MAX_DELAY, "of at most 36500d").optional(),
  priority: z.int().min(-100).max(100).optional(),
  timeout: duration(1, MAX_TIMEOUT, "from 1ms to 24d").optional(),
  maxAttempts: z.int().min(1).max(100).optional(),
  metadata: metadata.optional(),
});

/**
 * What tasks of the type are made by.
 *
 * @param pointer where in the body the type stands, if there
 * @throws {Problem} where they cannot run now
 */
export function definitionOf(registry: Registry, type: string, pointer?: string): TaskDefinition {
  const entry = registry.get(type);
  if (entry === undefined) {
    const detail = "is not a known task type; GET /v1/types lists them";
    throw new Problem("unknown-task-type", undefined, {
      errors: pointer ? [{ pointer, detail }] : undefined,
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
    readonly registry: Registry,
    readonly newId: () => string,
    readonly now: () => number,
    readonly log: (error: unknown) => void,
  ) {}

  /** @throws {Problem} */
  async draft(body: unknown, owner: string): Promise<NewTask> {
    const parsed = envelope.safeParse(body);
    if (!parsed.success) throw failed(flawsOf(parsed.error.issues));
    const { type, input, id, runAt, delay, priority, timeout, maxAttempts, metadata } = parsed.data;
    // A task without input has `{}` or `null`: what a forgotten field means would be a guess.
    if (input === undefined) throw invalid("#/input", "is required");
    if (runAt !== undefined && delay !== undefined) {
      throw invalid("#/delay", "must not be combined with runAt");
    }

    const definition = definitionOf(this.registry, type, "#/type");
    // Before the schema sees it: it is stored as it was sent, whatever a transform does to it.
    const text = JSON.stringify(input);
    await this.#check(definition, input);
    const start = delay === undefined ? runAt : this.now() + delay;
    return {
      id: id === undefined ? this.newId() : id.toLowerCase(),
      type,
      owner,
      input: text,
      metadata,
      priority: priority ?? 0,
      maxAttempts: maxAttempts ?? definition.maxAttempts,
      timeout: timeout ?? definition.timeout,
      runAt: start !== undefined && start > this.now() ? start : undefined,
    };
  }

  async #check(definition: TaskDefinition, input: unknown): Promise<void> {
    // Never `safeParse`: it leaves the promise of an asynchronous refinement behind, whose rejection nobody handles.
    const result = await definition.input.safeParseAsync(input).catch((error) => {
      throw this.#broken(error);
    });
    if (!result.success) throw failed(flawsOf(result.error.issues, ["input"]));
  }

  /** A schema that throws is its author's mistake, but it did not accept the input. */
  #broken(error: unknown): Problem {
    this.log(error);
    return invalid("#/input", "could not be checked");
  }
}

function failed(errors: Flaw[]): Problem {
  return new Problem("validation-failed", undefined, { errors });
}
