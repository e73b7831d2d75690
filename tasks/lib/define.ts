import { z } from "zod";
import type { Checkpoint } from "./checkpoint.ts";
import { parseDuration } from "./duration.ts";
import type { TaskFiles } from "./files.ts";

/**
 * What a task type asks of its runner; the runtime enforces it, and nothing is given that is not asked for.
 * No entry may be empty or hold a comma, which Deno's command line cannot express.
 */
export interface Permissions {
  /** Hosts, as `name:port`; `true` for all. */
  net?: string[] | true;
  /** Names of environment variables; these and no others reach the runner. */
  env?: string[];
  /** Paths. */
  read?: string[];
  write?: string[];
  ffi?: string[];
  sys?: string[];
}

/** What `permissions` may depend on: the configuration, so that `net` can name the configured host. */
export interface PermissionContext {
  /** The environment of the service, with `DATA_DIR` filled in as an absolute path. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface TaskLog {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What a handler is given besides its input. */
export interface TaskContext<Setup = undefined> {
  /** The task's id: the same in every attempt, so it can serve as an idempotency key. */
  readonly id: string;
  /** 1, 2, 3 … */
  readonly attempt: number;
  /** Aborts at the timeout, at a cancel, and at shutdown; `signal.reason` says which. */
  readonly signal: AbortSignal;
  /** Shown to whoever polls; call it as often as you like, the last one counts. */
  progress(current: number, total?: number, message?: string): void;
  /** The task's own log, shown at `/v1/tasks/{id}/logs`; `console.log` goes there too. */
  readonly log: TaskLog;
  /** The files that its input names, and those that it makes; for types that say `files: true`. */
  readonly files: TaskFiles;
  /** What its attempts remember: for work that must not be done twice. */
  readonly checkpoint: Checkpoint;
  /** What `setup` returned. */
  readonly setup: Setup;
}

export interface TaskOptions<Input extends z.ZodType, Result extends z.ZodType, Setup> {
  /** One line for `/v1/types`. */
  description?: string;
  /** One schema: validation at `POST`, the description for clients, and the handler's type. */
  input: Input;
  /** Checked before the task succeeds. Without it any JSON value will do. */
  result?: Result;
  /** Nothing by default. */
  permissions?: Permissions | ((context: PermissionContext) => Permissions);
  /**
   * `"shared"` (default): tasks share a runner of several workers. `"process"`: one task at a time in a runner, for
   * CPU-bound or memory-hungry work. `"fresh"`: a new runner for every run, for untrusted input.
   */
  isolation?: "shared" | "process" | "fresh";
  /**
   * Tasks of this type at once: 32; where the isolation is not `"shared"`, one less than there are CPUs, so that the
   * service always finds one free.
   */
  concurrency?: number;
  /** Tasks at once in one worker of a shared runner; 16. */
  tasksPerWorker?: number;
  /** Of one attempt; `"60s"`, and 24 days at most. */
  timeout?: string;
  /** 5. */
  maxAttempts?: number;
  /**
   * What follows when it is unknown whether the work was done, because a worker, a runner or the service died:
   * `"retry"` (default), or `"fail"` for work that must never be done twice by guess.
   */
  onCrash?: "retry" | "fail";
  /** Megabytes of memory a runner of this type may use; 512. */
  memory?: number;
  /** Whether it reads files that its input names, or makes files: `context.files`. */
  files?: boolean;
  /** Once per worker, before its first task: connections, heavy libraries. */
  setup?(context: { signal: AbortSignal }): Setup | Promise<Setup>;
  run(
    input: z.output<Input>,
    context: TaskContext<Awaited<Setup>>,
  ): z.input<Result> | Promise<z.input<Result>>;
}

/** What `defineTask` marks its answers with: the same symbol in every copy of this module. */
const BRAND = Symbol.for("errand.task");
/** A timer set further ahead would fire at once. */
const LONGEST_TIMEOUT = 24 * 86_400_000;

/** A checked task type, as `defineTask` returns it. */
export interface TaskDefinition<
  Input extends z.ZodType = z.ZodType,
  Result extends z.ZodType = z.ZodType,
> {
  readonly [BRAND]: true;
  readonly description: string | undefined;
  readonly input: Input;
  readonly result: Result | undefined;
  readonly permissions: Permissions | ((context: PermissionContext) => Permissions);
  readonly isolation: "shared" | "process" | "fresh";
  readonly concurrency: number;
  readonly tasksPerWorker: number;
  /** Milliseconds. */
  readonly timeout: number;
  readonly maxAttempts: number;
  readonly onCrash: "retry" | "fail";
  /** Megabytes. */
  readonly memory: number;
  readonly files: boolean;
  readonly setup: ((context: { signal: AbortSignal }) => unknown) | undefined;
  readonly run: (input: z.output<Input>, context: TaskContext<unknown>) => unknown;
}

const schema = z.custom<z.ZodType>((value) => value instanceof z.ZodType, "must be a zod schema");
const callable = z.custom<(...args: unknown[]) => unknown>(
  (v) => typeof v === "function",
  "must be a function",
);
const spareCpus = Math.max(1, (globalThis.navigator?.hardwareConcurrency ?? 2) - 1);

const entries = z.array(z.string().regex(/^[^,]+$/, "must be neither empty nor hold a comma"));
const NET = 'must be true, or a list such as ["example.com:443"] without empty entries and commas';
const permissions = z.custom((value) => !(value instanceof Promise), "must not be a promise").pipe(
  z.strictObject({
    net: z.union([entries, z.literal(true)], NET).optional(),
    env: entries.optional(),
    read: entries.optional(),
    write: entries.optional(),
    ffi: entries.optional(),
    sys: entries.optional(),
  }),
);

const options = z.strictObject({
  description: z.string().max(500).optional(),
  input: schema,
  result: schema.optional(),
  permissions: z.unknown().default({}).superRefine((value, context) => {
    if (typeof value === "function") return;
    for (const { path, message } of permissions.safeParse(value).error?.issues ?? []) {
      context.addIssue({ code: "custom", path, message });
    }
  }),
  isolation: z.enum(["shared", "process", "fresh"]).default("shared"),
  concurrency: z.int().min(1).max(10_000).optional(),
  tasksPerWorker: z.int().min(1).max(1_000).default(16),
  timeout: z.string().default("60s").transform((text, context) => {
    const value = parseDuration(text);
    if (value !== undefined && value >= 1 && value <= LONGEST_TIMEOUT) return value;
    context.addIssue({ code: "custom", message: 'must be a duration such as "30s", 24 days at most' });
    return z.NEVER;
  }),
  maxAttempts: z.int().min(1).max(100).default(5),
  onCrash: z.enum(["retry", "fail"]).default("retry"),
  memory: z.int().min(64).max(65_536).default(512),
  files: z.boolean().default(false),
  setup: callable.optional(),
  run: callable,
});

/**
 * Defines a task type; a task file's default export.
 *
 * @throws {TypeError} naming every option that is wrong
 */
export function defineTask<Input extends z.ZodType, Result extends z.ZodType = z.ZodType, Setup = undefined>(
  task: TaskOptions<Input, Result, Setup>,
): TaskDefinition<Input, Result> {
  const parsed = options.safeParse(task);
  if (!parsed.success) throw new TypeError(`Not a task type: ${problemsOf(parsed.error, "options")}`);
  const { concurrency, ...rest } = parsed.data;
  return {
    [BRAND]: true,
    ...rest,
    concurrency: concurrency ?? (rest.isolation === "shared" ? 32 : spareCpus),
    // The checked options have lost the types that the caller gave: these three carry them.
    description: rest.description,
    input: task.input,
    result: task.result,
    setup: rest.setup,
  } as TaskDefinition<Input, Result>;
}

/** Whether a module's default export came from `defineTask`, of whichever copy of this module. */
export function isTaskDefinition(value: unknown): value is TaskDefinition {
  if (typeof value !== "object" || value === null || !(BRAND in value)) return false;
  const { input, run } = value as Partial<TaskDefinition>;
  return typeof input?.safeParseAsync === "function" && typeof run === "function";
}

/**
 * What a type asks of its runner in this configuration, checked.
 *
 * @throws {TypeError} naming everything that is wrong with what its function answered
 */
export function permissionsIn(definition: TaskDefinition, context: PermissionContext): Permissions {
  if (typeof definition.permissions !== "function") return definition.permissions;
  const parsed = permissions.safeParse(definition.permissions(context));
  if (parsed.success) return parsed.data as Permissions;
  throw new TypeError(`What permissions() answers is wrong: ${problemsOf(parsed.error, "it")}`);
}

function problemsOf({ issues }: z.ZodError, whole: string): string {
  return issues.map(({ path, message }) => `${path.join(".") || whole}: ${message}`).join("; ");
}
