/** `deno task keys`: adds, lists and revokes the keys of callers. A running service heeds it within a second. */
import { parseArgs } from "node:util";
import { parseRate } from "./routes/rate.ts";
import {
  asKeyFileError,
  changeKeyFile,
  type KeyEntry,
  ownerName,
  parseKeyFile,
  readKeyFile,
} from "./routes/keys/file.ts";
import { type Scope, SCOPES } from "./routes/keys/scopes.ts";
import { webhookSchema } from "./routes/webhooks.ts";
import { hashOf, mint } from "./routes/keys/secret.ts";
import { parseDuration } from "./tasks/mod.ts";

export const KEYS_HELP = `deno task keys <command>, with API_KEYS_FILE set
  add --owner NAME [--scopes submit,read,cancel] [--expires 90d] [--rate 100/s]
      [--concurrency 8] [--webhook URL [--webhook-secret whsec_…]]
                 prints a new key, once; scopes are submit, read, cancel and admin, which is all of them;
                 it expires after a duration, or at a time such as 2030-01-31T12:00:00Z
  list           what is known of each key, but not the keys
  revoke ID      ends a key, and whatever it has open`;

const DAY = 86_400_000;
const DEFAULT_SCOPES = "submit,read,cancel";

/** What is wrong with the command, in a line. */
export class KeysError extends Error {
  override readonly name = "KeysError";
}

export interface KeysIo {
  /** Of the key file; `undefined` where none is configured. */
  readonly path: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What was asked for. */
  print(line: string): void;
  /** What is said about it, so that the other can go into a variable or a pipe by itself. */
  note(line: string): void;
}

/** @throws {KeysError} */
export function keys([command, ...args]: readonly string[], io: KeysIo): void {
  if (command === "--help" || args.includes("--help")) return io.print(KEYS_HELP);
  const run = COMMANDS.get(command ?? "");
  if (run === undefined) {
    throw new KeysError(`Unknown command: keys ${command ?? ""}. There is: add, list, revoke.`);
  }
  const { path } = io;
  if (path === undefined) throw new KeysError("Set API_KEYS_FILE to the path of the key file.");
  try {
    run(args, path, io);
  } catch (error) {
    if (error instanceof KeysError) throw error;
    const wrongOption = error instanceof TypeError && "code" in error;
    if (wrongOption) throw new KeysError(error.message.split("\n")[0]!.split(". To specify")[0]!);
    throw new KeysError(`API_KEYS_FILE=${path} cannot be used: ${asKeyFileError(error).message}`);
  }
}

type Command = (args: string[], path: string, io: KeysIo) => void;

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["add", add],
  ["list", list],
  ["revoke", revoke],
]);

function add(args: string[], path: string, { now, print, note }: KeysIo): void {
  const text = { type: "string" } as const;
  const { owner, scopes = DEFAULT_SCOPES, expires, rate, concurrency, webhook, "webhook-secret": secret } =
    parseArgs({
      args,
      options: {
        owner: text,
        scopes: text,
        expires: text,
        rate: text,
        concurrency: text,
        webhook: text,
        "webhook-secret": text,
      },
    }).values;
  if (owner === undefined) throw new KeysError("--owner NAME is required.");
  const { id, key } = mint();
  const entry: KeyEntry = {
    id,
    owner: checkOwner(owner),
    scopes: parseScopes(scopes),
    sha256: hashOf(key).toString("hex"),
    createdAt: new Date(now).toISOString(),
    expiresAt: expires === undefined ? undefined : parseExpiry(expires, now),
    rate: rate === undefined ? undefined : checkRate(rate),
    concurrency: concurrency === undefined ? undefined : parseCount(concurrency),
    webhook: parseWebhook(webhook, secret),
  };
  changeKeyFile(path, (keys) => [...keys, entry]);
  print(key);
  note(`The key ${id} of ${owner}: ${entry.scopes.join(", ")}. It is not shown again.`);
}

function list(args: string[], path: string, { now, print }: KeysIo): void {
  parseArgs({ args, options: {} });
  const header = ["ID", "OWNER", "SCOPES", "CREATED", "EXPIRES", "RATE", "CONCURRENCY", "WEBHOOK"];
  const rows = parseKeyFile(readKeyFile(path)).map((key) => [
    key.id,
    key.owner,
    key.scopes.join(),
    key.createdAt,
    key.expiresAt === undefined ? "-" : Date.parse(key.expiresAt) <= now ? "expired" : key.expiresAt,
    key.rate ?? "-",
    `${key.concurrency ?? "-"}`,
    key.webhook?.url ?? "-",
  ]);
  const table = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  for (const row of table) print(row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ").trimEnd());
}

function revoke(args: string[], path: string, { note }: KeysIo): void {
  const [id, ...more] = parseArgs({ args, options: {}, allowPositionals: true }).positionals;
  if (id === undefined || more.length > 0) {
    throw new KeysError("Give one ID; deno task keys list shows them.");
  }
  // A key in place of its id must not show up in a terminal's history and in a log as well.
  if (id.startsWith("errand_")) {
    throw new KeysError("Give the key's ID, not the key; it is the part after errand_.");
  }
  changeKeyFile(path, (keys) => {
    const others = keys.filter((key) => key.id !== id);
    if (others.length === keys.length) {
      throw new KeysError(`There is no key with the ID ${JSON.stringify(id)}.`);
    }
    return others;
  });
  note(`The key ${id} is revoked.`);
}

function checkOwner(text: string): string {
  const parsed = ownerName.safeParse(text);
  if (parsed.success) return text;
  throw new KeysError(`--owner: got ${JSON.stringify(text)}, which ${parsed.error.issues[0]!.message}.`);
}

function parseScopes(text: string): Scope[] {
  const scopes = text.split(",").map((one) => {
    const scope = SCOPES.find((known) => known === one.trim());
    if (scope !== undefined) return scope;
    throw new KeysError(`--scopes: got ${JSON.stringify(one)}, expected some of ${SCOPES.join()}.`);
  });
  return [...new Set(scopes)];
}

/** A duration from now, or a time; RFC 3339. */
function parseExpiry(text: string, now: number): string {
  const duration = parseDuration(text);
  const time = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : NaN;
  const at = duration === undefined ? time : now + duration;
  if (at > now && at <= now + 36_500 * DAY) return new Date(at).toISOString();
  const expected = "a duration such as 90d or a time to come such as 2030-01-31T12:00:00Z";
  throw new KeysError(`--expires: got ${JSON.stringify(text)}, expected ${expected}.`);
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new KeysError(`--concurrency: got ${JSON.stringify(text)}, expected a whole number from 1 on.`);
}

function parseWebhook(url: string | undefined, secret: string | undefined): KeyEntry["webhook"] {
  if (url === undefined && secret === undefined) return undefined;
  if (url === undefined || !/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new KeysError("--webhook: expected a URL such as https://example.com/hook.");
  }
  const parsed = webhookSchema.safeParse({ url, secret });
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new KeysError(`--webhook${path[0] === "secret" ? "-secret" : ""}: ${message}.`);
}

function checkRate(text: string): string {
  if (parseRate(text) !== undefined) return text;
  throw new KeysError(
    `--rate: got ${JSON.stringify(text)}, expected a rate such as 100/s, 1000/m or 5000/h.`,
  );
}
