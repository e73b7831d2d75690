/**
 * The environment, read once, as one frozen `Config`. Nothing else in the project looks at environment variables.
 * A new setting is one line of `SETTINGS`: parsing, checking, defaults and `--help` all follow from it.
 */
import { isIP } from "node:net";
import { resolve } from "node:path";
import { parseRate, type Rate } from "./routes/rate.ts";
import { parseAllowList, parseDuration } from "./tasks/mod.ts";
import { parseDatabaseUrl } from "./tasks/lib/database/url.ts";

/** What values of one sort look like, and how they are read. */
interface Kind<T> {
  /** Completes "expected …". */
  readonly expected: string;
  /** `undefined` where the text is not of this kind. */
  parse(text: string, cwd: string): T | undefined;
  /** How a wrong value is shown; needed where it may hold a secret. */
  show?(text: string): string;
  /** The text of a bare number, where that is not its digits. */
  write?(value: number): string;
}

export interface Setting<T> {
  readonly name: string;
  /** What holds where the variable is unset, written as one would set it. */
  readonly fallback: string | undefined;
  readonly meaning: string;
  readonly kind: Kind<T>;
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};
const SIZE = /^\s*(\d+(?:\.\d+)?)\s*((?:[kmgt]i?)?b)?\s*$/i;

/** Bytes of a size: `"1048576"`, `"1MiB"`, `"256KB"`, `"1.5 GiB"`. `undefined` for anything else. */
export function parseSize(text: string): number | undefined {
  if (text.length > 64) return undefined;
  const [, amount, unit = ""] = SIZE.exec(text) ?? [];
  if (amount === undefined) return undefined;
  const bytes = Math.round(Number(amount) * UNITS[unit.toLowerCase()]!);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

function within(value: number | undefined, least: number, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}

const count = (least: number, most: number): Kind<number> => ({
  expected: `a whole number from ${least} to ${most}`,
  parse: (text) => /^\d{1,15}$/.test(text) ? within(Number(text), least, most) : undefined,
});

const size = (least: string, most: string): Kind<number> => ({
  expected: `a size from ${least} to ${most}`,
  parse: (text) => within(parseSize(text), parseSize(least)!, parseSize(most)!),
});

/** Up to 24 days by default: a timer set further ahead would fire at once. */
const duration = (least: string, most = "24d"): Kind<number> => ({
  expected: `a duration from ${least} to ${most}`,
  write: (value) => `${value}ms`,
  parse: (text) => within(parseDuration(text), parseDuration(least)!, parseDuration(most)!),
});

const oneOf = <const Choice extends string>(...choices: Choice[]): Kind<Choice> => ({
  expected: choices.join(" or "),
  parse: (text) => choices.find((choice) => choice === text),
});

const flag: Kind<boolean> = {
  expected: "true or false",
  parse: (text) => text === "true" ? true : text === "false" ? false : undefined,
};

const pathOf = (what: string): Kind<string> => ({
  // Deno's command line, which says what may be read and written, separates paths by commas.
  expected: `the path of a ${what}, without a comma`,
  parse(text, cwd) {
    const path = resolve(cwd, text);
    return /[\0,]/.test(path) ? undefined : path;
  },
});

const folder = pathOf("folder");

const rate: Kind<Rate> = { expected: "a rate such as 100/s, 1000/m, 5000/h or 20000/d", parse: parseRate };

const file = pathOf("file");

const host: Kind<string> = {
  expected: "a host name or an IP address, without a port",
  parse(text) {
    const name = text.replace(/^\[(.*)\]$/, "$1");
    return isIP(name) || /^(?!.*\.\.)[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/i.test(name) ? name : undefined;
  },
};

const HIDDEN = "a value that is not shown, as it may hold a password";

const store: Kind<string> = {
  expected: "memory: (the only store there is yet)",
  parse: (text) => text === "memory:" ? text : undefined,
  // Only the scheme: what follows may hold a password.
  show: (text) => /^(?:memory|sqlite|redis|rediss):/.exec(text)?.[0].concat("…") ?? HIDDEN,
};

const smtp: Kind<string> = {
  expected: "smtp://user:password@host:587 or smtps://…:465, special characters percent-encoded",
  parse(text) {
    try {
      const url = new URL(text);
      decodeURIComponent(url.username + url.password);
      return /^smtps?:$/.test(url.protocol) && url.hostname !== "" ? text : undefined;
    } catch {
      return undefined;
    }
  },
  show: () => HIDDEN,
};

const database: Kind<string> = {
  expected:
    "postgres://user:password@host:5432/database or sqlite:./file, special characters percent-encoded",
  parse(text) {
    try {
      return parseDatabaseUrl(text) && text;
    } catch {
      return undefined;
    }
  },
  show: () => HIDDEN,
};

const mailbox: Kind<string> = {
  expected: "an e-mail address, or one with a name: Ada <ada@example.com>",
  // No control characters: a line break would begin another header.
  parse: (text) => /^(?:[^\s<>@:/]+@[^\s<>@:/]+|[^<>\p{Cc}]*<[^\s<>@:/]+@[^\s<>@:/]+>)$/u.exec(text)?.[0],
};

const contact: Kind<string> = {
  expected: "the URL of a page, or an e-mail address",
  // It goes into a header, within brackets.
  parse: (text) => /^(?:https?:\/\/[^\s()\x7f-\u{10ffff}]+|[^\s<>@:/()]+@[^\s<>@:/()]+)$/u.exec(text)?.[0],
};

const targets: Kind<ReturnType<typeof parseAllowList>> = {
  expected: "addresses, ranges and host names, such as 10.1.0.0/16,fd00::/8,ci.example.org",
  parse: parseAllowList,
};

function setting<T>(name: string, fallback: string, meaning: string, kind: Kind<T>): Setting<T> {
  return { name, fallback, meaning, kind };
}

function optional<T>(name: string, meaning: string, kind: Kind<T>): Setting<T | undefined> {
  return { name, fallback: undefined, meaning, kind };
}

export const SETTINGS = {
  host: setting("HOST", "127.0.0.1", "address to listen on", host),
  port: setting("PORT", "8000", "port to listen on; 0 takes a free one", count(0, 65_535)),
  apiKeysFile: optional("API_KEYS_FILE", "keys of callers; without it everybody may do all", pathOf("file")),
  allowAnonymous: setting(
    "ALLOW_ANONYMOUS",
    "false",
    "true lets other machines reach HOST without a key",
    flag,
  ),
  rateLimit: optional("RATE_LIMIT", "requests of a key that has no rate of its own, such as 100/s", rate),
  keyConcurrency: optional("KEY_CONCURRENCY", "running tasks of a key's owner at once", count(1, 1_000_000)),
  streamsPerKey: setting("STREAMS_PER_KEY", "100", "event streams of a key at once", count(1, 1_000_000)),
  streamsMax: setting("STREAMS_MAX", "20000", "event streams of all keys at once", count(1, 1_000_000)),
  waitMax: setting("WAIT_MAX", "60s", "longest wait that Prefer: wait=N is granted", duration("1s", "1h")),
  waitersMax: setting(
    "WAITERS_MAX",
    "10000",
    "requests that wait at once; others are answered",
    count(0, 1_000_000),
  ),
  storeUrl: setting("STORE_URL", "memory:", "where tasks rest", store),
  dataDir: setting("DATA_DIR", "./data", "folder of all that the service writes", folder),
  tasksDir: optional("TASKS_DIR", "one more folder of task files, besides tasks/", folder),
  runners: setting("RUNNERS", "on", "off: tasks run inside the API process, less safely", oneOf("on", "off")),
  smtpUrl: optional("SMTP_URL", "mail server; without it e-mails become files in DATA_DIR/outbox", smtp),
  mailFrom: optional("MAIL_FROM", "sender of e-mails that name none", mailbox),
  scrapeContact: optional("SCRAPE_CONTACT", "whom sites may turn to about scrape-page", contact),
  egressAllow: optional("EGRESS_ALLOW", "targets of tasks and webhooks besides public addresses", targets),
  databaseUrl: optional(
    "DATABASE_URL",
    "database of update-database: postgres://… or sqlite:./file",
    database,
  ),
  statementsFile: optional("STATEMENTS_FILE", "the SQL that update-database may carry out", file),
  logLevel: setting(
    "LOG_LEVEL",
    "info",
    "debug, info, warn or error",
    oneOf("debug", "info", "warn", "error"),
  ),
  queueMax: setting("QUEUE_MAX", "100000", "unfinished tasks at most", count(1, 1_000_000_000)),
  queueMaxBytes: setting(
    "QUEUE_MAX_BYTES",
    "256MiB",
    "bytes of unfinished tasks at most",
    size("1KiB", "1TiB"),
  ),
  bodyMax: setting("BODY_MAX", "1MiB", "bytes of a request body at most", size("1KiB", "256MiB")),
  batchBodyMax: setting("BATCH_BODY_MAX", "10MiB", "bytes of a batch's body at most", size("1KiB", "256MiB")),
  idempotencyKept: setting(
    "IDEMPOTENCY_KEPT",
    "24h",
    "how long an idempotency key is remembered",
    duration("1s", "3650d"),
  ),
  bodyTimeout: setting(
    "BODY_TIMEOUT",
    "15s",
    "how long a request body, or a further piece of a large one, may take",
    duration("100ms"),
  ),
  fileMax: setting(
    "FILE_MAX",
    "100MiB",
    "bytes of one file, and of all that one run makes",
    size("1KiB", "1TiB"),
  ),
  filesMaxBytes: setting("FILES_MAX_BYTES", "10GiB", "bytes of all files at most", size("1KiB", "1024TiB")),
  fileRetention: setting(
    "FILE_RETENTION",
    "7d",
    "how long an uploaded file is kept that no task uses",
    duration("0s", "36500d"),
  ),
  jsonDepthMax: setting("JSON_DEPTH_MAX", "64", "levels of nested JSON at most", count(1, 1_000)),
  jsonNodesMax: setting("JSON_NODES_MAX", "10000", "values in one JSON body at most", count(1, 10_000_000)),
  resultMax: setting("RESULT_MAX", "1MiB", "bytes of a task's result at most", size("1KiB", "256MiB")),
  retentionSucceeded: setting(
    "RETENTION_SUCCEEDED",
    "24h",
    "how long a succeeded or cancelled task is kept",
    duration("0s", "36500d"),
  ),
  retentionFailed: setting(
    "RETENTION_FAILED",
    "7d",
    "how long a failed task is kept",
    duration("0s", "36500d"),
  ),
  retentionBytes: setting("RETENTION_BYTES", "1GiB", "bytes of finished tasks at most", size("0", "1TiB")),
  backoffBase: setting(
    "BACKOFF_BASE",
    "2s",
    "longest wait before the first retry, doubled each time",
    duration("0s"),
  ),
  backoffMax: setting("BACKOFF_MAX", "10m", "longest wait before any retry", duration("0s")),
  lease: setting("LEASE", "30s", "a claim that is not renewed lapses after", duration("1s")),
  grace: setting("GRACE", "5s", "a task that was told to stop is killed after", duration("0s")),
  drainTimeout: setting("DRAIN_TIMEOUT", "20s", "at shutdown, running tasks may go on for", duration("0s")),
  runnerIdle: setting("RUNNER_IDLE", "30s", "an idle runner is stopped after", duration("0s")),
  loadTimeout: setting("LOAD_TIMEOUT", "10s", "a task file must load within", duration("100ms")),
  nice: setting("NICE", "10", "how far runners step back for the API, 0 to 19", count(0, 19)),
} satisfies Record<string, Setting<unknown>>;

type Settings = typeof SETTINGS;
export type SettingName = keyof Settings;
export type Values = {
  readonly [Key in SettingName]: Settings[Key] extends Setting<infer Value> ? Value : never;
};

/** All settings: paths absolute, durations in milliseconds, sizes in bytes. Frozen throughout. */
export interface Config extends Values {
  /** The whole environment, `DATA_DIR` absolute: of it, runners are handed the variables that their type names. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Everything that is wrong with the environment, one line each; secrets are not shown. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(readonly problems: readonly string[]) {
    super(problems.join("\n"));
  }
}

/**
 * Reads the settings. An empty variable counts as unset.
 *
 * @throws {ConfigError} naming every problem at once
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>, cwd: string): Config {
  const values = settle(({ name }) => env[name], (key) => SETTINGS[key].name, cwd);
  return configured(values, env);
}

/** @param env the environment that tasks are given of what they ask for */
export function configured(values: Values, env: Config["env"]): Config {
  return Object.freeze({ ...values, env: Object.freeze({ ...env, DATA_DIR: values.dataDir }) });
}

/**
 * Reads every setting from the text that it was given, empty or not at all where its default shall hold.
 *
 * @param nameOf what it is called there
 * @param others what else is wrong
 * @throws {ConfigError} naming every problem at once
 */
export function settle(
  textOf: (setting: Setting<unknown>, key: SettingName) => string | undefined,
  nameOf: (key: SettingName) => string,
  cwd: string,
  others: readonly string[] = [],
): Values {
  const problems = [...others];
  const read = ([key, setting]: [SettingName, Setting<unknown>]) => {
    const { fallback, kind } = setting;
    const text = textOf(setting, key) || fallback;
    const value = text === undefined ? undefined : kind.parse(text, cwd);
    if (text !== undefined && value === undefined) {
      problems.push(`${nameOf(key)}: got ${(kind.show ?? quote)(text)}, expected ${kind.expected}`);
    }
    return [key, value];
  };
  const entries = Object.entries(SETTINGS) as [SettingName, Setting<unknown>][];
  const values = Object.fromEntries(entries.map(read)) as Values;
  problems.push(...contradictions(values, nameOf));
  if (problems.length > 0) throw new ConfigError(problems);
  return values;
}

/**
 * What `deno task start` grants on Deno's command line. Where a setting is wrong, it is what some valid settings need:
 * the program itself says what is wrong.
 */
export function rights(
  env: Readonly<Record<string, string | undefined>> = Deno.env.toObject(),
  cwd: string = Deno.cwd(),
): { net: string; read: string; write: string; keys: string } {
  let config: Config;
  try {
    config = loadConfig(env, cwd);
  } catch {
    config = loadConfig({}, "/");
  }
  const { host, port, dataDir, tasksDir, apiKeysFile } = config;
  const read = [".", dataDir, tasksDir, apiKeysFile].filter((path) => path !== undefined);
  // Where it is not set the command says so, whatever it may read.
  const file = apiKeysFile ?? "keys.json";
  // Beside it is what a change is written to first.
  const keys = `${file},${file}.lock`;
  return { net: `${bracketed(host)}:${port}`, read: read.join(), write: dataDir, keys };
}

/** A host as it stands in a URL: an IPv6 address needs brackets. */
export function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** What is wrong between settings that are right by themselves; each may be missing where it was not. */
function contradictions(values: Partial<Values>, nameOf: (key: SettingName) => string): string[] {
  const { host, apiKeysFile, allowAnonymous, backoffBase, backoffMax } = values;
  const problems: string[] = [];
  if (host !== undefined && !isLoopback(host) && apiKeysFile === undefined && allowAnonymous === false) {
    problems.push(
      `HOST: got ${
        quote(host)
      }, which other machines may reach, expected a loopback address such as 127.0.0.1; ` +
        "or set API_KEYS_FILE, or ALLOW_ANONYMOUS=true to let anyone in who reaches it",
    );
  }
  if (backoffBase !== undefined && backoffMax !== undefined && backoffBase > backoffMax) {
    const [most, base] = [nameOf("backoffMax"), nameOf("backoffBase")];
    problems.push(`${most}: got ${backoffMax}ms, expected at least ${base}, ${backoffBase}ms`);
  }
  return problems;
}

function isLoopback(host: string): boolean {
  return host.toLowerCase() === "localhost" || host === "::1" ||
    (isIP(host) === 4 && host.startsWith("127."));
}

/** Shortened, and without the user and password of a URL that was meant for another variable. */
function quote(given: string): string {
  const text = given.replace(/\/\/.*@/s, "//…@");
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

/** The settings with their defaults and meanings, one a line, in columns. */
export function helpText(): string {
  const rows = Object.values<Setting<unknown>>(SETTINGS).map(({ name, fallback = "-", meaning }) => ({
    name,
    fallback,
    meaning,
  }));
  const width = (column: "name" | "fallback") => Math.max(...rows.map((row) => row[column].length));
  const [names, fallbacks] = [width("name"), width("fallback")];
  return rows
    .map((row) => `  ${row.name.padEnd(names)}  ${row.fallback.padEnd(fallbacks)}  ${row.meaning}`)
    .join("\n");
}
