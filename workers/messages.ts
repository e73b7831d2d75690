/**
 * What may cross the walls, thread and process alike. Messages travel in lists, as one text a list:
 *
 *     [["run",1,"01a2…",1,60000,9],["run",2,…]]⏎{"ms":50}{"ms":50}
 *
 * a JSON array of heads, a line feed, then the bodies. A message's body (an input, a result) is JSON text that
 * nobody between route and handler parses; its head says how long it is, in UTF-16 code units. What comes from a
 * runner or a worker is not trusted: `decode` checks every field.
 */

export interface LoadSpec {
  readonly type: string;
  /** The task file, as a URL. */
  readonly module: string;
  /** Characters of a result at most. */
  readonly resultMax: number;
  /** Environment variables whose values never appear in a log or an error. */
  readonly secrets: readonly string[];
  /** Present where the type has files. */
  readonly files?: FilesSpec | undefined;
}

export interface FilesSpec {
  /** The runner's, as `run_folder.ts` lays it out. */
  readonly folder: string;
  /** Bytes that one run may write. */
  readonly max: number;
}

/** Files that one run can make. */
export const MADE_MAX = 1_000;

export interface PoolSpec extends LoadSpec {
  /** Workers at most. */
  readonly workers: number;
  readonly tasksPerWorker: number;
  /** Milliseconds from the abort signal to the worker's end. */
  readonly grace: number;
  /** Milliseconds until a worker must be ready. */
  readonly loadTimeout: number;
  /** Megabytes this runner may use. */
  readonly memory: number;
}

export interface Failed {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly crash?: boolean;
  readonly retryAfter?: number;
  readonly details?: Record<string, unknown>;
  readonly stack?: string;
}

/** To a runner, and from its pool on to a worker. */
export type Order =
  | ["init", PoolSpec]
  | ["load", LoadSpec, lock: string]
  /** `last` is the checkpoint of an earlier attempt, where there is one. */
  | ["run", key: number, id: string, attempt: number, timeout: number, input: string, last?: string]
  | ["stop", key: number, reason: string]
  /** What became of the run's checkpoint: whether it is kept. */
  | ["kept", key: number, kept: boolean]
  | ["abandon", key: number]
  | ["ping"];

/** Of a run that was cut short: it never began; its neighbour brought it down; it may have done so itself. */
export type Innocence = "unstarted" | "neighbour" | "suspect";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** From a worker to its pool, and from a runner to the supervisor. `-1` is no run's key. */
export type Report =
  | ["done", key: number, result: string]
  | ["fail", key: number, Failed]
  | ["progress", key: number, current: number, total: number | null, message: string | null]
  | ["log", key: number, level: LogLevel, message: string]
  /** The run has begun a file; which of them are kept, its result says. */
  | ["made", key: number, id: string, name: string | null, contentType: string]
  /** Answered by `kept`; there is no other from this run until then. */
  | ["checkpoint", key: number, checkpoint: string]
  // from a worker alone
  | ["locked"]
  | ["loaded"]
  | ["unloadable", message: string, stack: string]
  | ["stopping", key: number]
  | ["uncaught", key: number, message: string, stack: string]
  // from a runner alone
  | ["ready"]
  | ["released", keys: number[], as: Innocence]
  | ["condemned", code: string, message: string, suspects: number[]]
  | ["pong"];

export type Message = Order | Report;

/** A message that this wall does not let through; whoever sent it is no longer believed. */
export class ProtocolViolation extends Error {
  override name = "ProtocolViolation";
}

/** What is beyond this goes out in a text of its own, so that nobody waits for megabytes. */
const LIST_MAX = 1 << 20;
/** Nobody parses more heads than this at once; lists that keep `LIST_MAX` stay far below. */
const HEADS_MAX = 1 << 23;

const BODY: Readonly<Record<string, number>> = { run: 5, done: 2, checkpoint: 2 };

export function encode(messages: readonly Message[]): string {
  const heads: unknown[] = [];
  let bodies = "";
  for (const message of messages) {
    const at = BODY[message[0]];
    if (at === undefined) heads.push(message);
    else {
      const body = message[at] as string;
      const head: unknown[] = [...message];
      head[at] = body.length;
      heads.push(head);
      bodies += body;
    }
  }
  return `${JSON.stringify(heads)}\n${bodies}`;
}

/** What a failure's code looks like. */
export const CODE = /^[a-z][a-z0-9_]{0,63}$/;

type Check = (value: unknown) => boolean;
const integer: Check = Number.isSafeInteger;
const finite: Check = Number.isFinite;
const text: Check = (value) => typeof value === "string" && value.length <= 20_000;
const maybeJson: Check = (value) => value === undefined || typeof value === "string";
const flag: Check = (value) => typeof value === "boolean";
const size: Check = (value) => integer(value) && (value as number) >= 0;
const maybe = (check: Check): Check => (value) => value === undefined || value === null || check(value);
const keys: Check = (value) => Array.isArray(value) && value.length <= 100_000 && value.every(integer);
const level: Check = (value) =>
  value === "debug" || value === "info" || value === "warn" || value === "error";
const innocence: Check = (value) => value === "unstarted" || value === "neighbour" || value === "suspect";
const code: Check = (value) => typeof value === "string" && CODE.test(value);
const id: Check = (value) =>
  typeof value === "string" && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value);
const record: Check = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const failed: Check = (value) => {
  if (!record(value)) return false;
  const { code: name, message, retryable, crash, retryAfter, details, stack, ...rest } = value as Record<
    string,
    unknown
  >;
  return code(name) && text(message) && flag(retryable) && maybe(flag)(crash) && maybe(finite)(retryAfter) &&
    maybe(record)(details) && maybe(text)(stack) && Object.keys(rest).length === 0;
};

export type Shapes = Readonly<Record<string, readonly Check[]>>;

const BOTH: Shapes = {
  done: [integer, size],
  fail: [integer, failed],
  progress: [integer, finite, maybe(finite), maybe(text)],
  log: [integer, level, text],
  made: [integer, id, maybe(text), text],
  checkpoint: [integer, size],
};
export const FROM_WORKER: Shapes = {
  ...BOTH,
  locked: [],
  loaded: [],
  unloadable: [text, text],
  stopping: [integer],
  uncaught: [integer, text, text],
};
export const FROM_RUNNER: Shapes = {
  ...BOTH,
  ready: [],
  released: [keys, innocence],
  condemned: [code, text, keys],
  pong: [],
};
/** Orders come from the trusted side: only what is needed to read them is checked. */
export const FROM_ABOVE: Shapes = {
  init: [record],
  load: [record, text],
  run: [integer, text, integer, finite, size, maybeJson],
  stop: [integer, text],
  kept: [integer, flag],
  abandon: [integer],
  ping: [],
};

/** @throws {ProtocolViolation} for anything that is not a list of messages of these shapes */
export function decode<M extends Message>(input: unknown, shapes: Shapes): M[] {
  if (typeof input !== "string") throw new ProtocolViolation("Not a text.");
  const end = input.indexOf("\n");
  if (end > HEADS_MAX) throw new ProtocolViolation("Too many messages.");
  let heads: unknown;
  try {
    heads = JSON.parse(input.slice(0, Math.max(end, 0)));
  } catch {
    throw new ProtocolViolation("Not JSON.");
  }
  if (!Array.isArray(heads)) throw new ProtocolViolation("Not a list.");
  let from = end + 1;
  for (const head of heads) {
    const fields = Array.isArray(head) && typeof head[0] === "string" && Object.hasOwn(shapes, head[0])
      ? shapes[head[0]]!
      : undefined;
    // What is missing at the end is `undefined` to its check.
    if (!fields || head.length > fields.length + 1) throw new ProtocolViolation("An unknown message.");
    for (let i = 0; i < fields.length; i++) {
      if (!fields[i]!(head[i + 1])) throw new ProtocolViolation(`A malformed message: ${head[0]}.`);
    }
    const at = BODY[head[0]];
    if (at === undefined) continue;
    const to = from + head[at];
    if (to > input.length) throw new ProtocolViolation("A body that is cut off.");
    head[at] = input.slice(from, to);
    from = to;
  }
  // Checked above, field by field.
  return heads as M[];
}

/** Characters, roughly. */
function weigh(message: Message): number {
  const at = BODY[message[0]];
  if (at !== undefined) {
    return (message[at] as string).length + (message[0] === "run" ? message[6]?.length ?? 0 : 0);
  }
  switch (message[0]) {
    case "log":
      return message[3].length;
    case "fail":
      return message[2].message.length + (message[2].stack?.length ?? 0);
    default:
      return 0;
  }
}

/** Collects messages and sends them as lists, one per turn of the event loop. */
export class Outbox<M extends Message> {
  #messages: M[] = [];
  readonly #send: (text: string) => void;

  constructor(send: (text: string) => void) {
    this.#send = send;
  }

  post(message: M): void {
    if (this.#messages.push(message) === 1) setImmediate(() => this.flush());
  }

  flush(): void {
    const messages = this.#messages;
    this.#messages = [];
    let first = 0;
    let length = 0;
    for (let i = 0; i < messages.length; i++) {
      const message = messages[i]!;
      length += weigh(message);
      if (length < LIST_MAX && i < messages.length - 1) continue;
      this.#send(encode(messages.slice(first, i + 1)));
      first = i + 1;
      length = 0;
    }
  }
}
