/** The key file, `API_KEYS_FILE`: what is known of each key, but not the keys. */
import { z } from "zod";
import { parseRate } from "../rate.ts";
import { webhookSchema } from "../webhooks.ts";
import { SCOPES } from "./scopes.ts";

const MAX_KEYS = 10_000;
/** Bytes; more is no file of that many keys. */
const MAX_SIZE = 16 * 2 ** 20;

/** No whitespace or control characters, so that it shows in a list and a log as it is. */
export const ownerName = z.string().regex(
  /^[\w.@:+-]{1,64}$/,
  "must be 1 to 64 letters, digits or . _ - @ : +",
);

const entry = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/, "must be 12 hexadecimal digits"),
  owner: ownerName,
  scopes: z.array(z.enum(SCOPES)).min(1),
  /** SHA-256 of the key. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits"),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
  /** Of its own, in place of `RATE_LIMIT`. */
  rate: z.string().refine((text) => parseRate(text) !== undefined, "must be a rate such as 100/s").optional(),
  /** Running tasks of its owner at once, in place of `KEY_CONCURRENCY`; of several keys the largest counts. */
  concurrency: z.int().min(1).max(1_000_000).optional(),
  /** Of tasks that are submitted with it and name none. The secret is kept as it is: it must sign. */
  webhook: webhookSchema.optional(),
});

const content = z.strictObject({
  keys: z.array(entry).max(MAX_KEYS)
    .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, "must have ids of their own"),
});

/** A key as it is kept. */
export type KeyEntry = Readonly<z.infer<typeof entry>>;

/** Why the key file cannot be used, in one line. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
}

/** @throws {KeyFileError} */
export function parseKeyFile(text: string): readonly KeyEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new KeyFileError("it is not JSON");
  }
  const parsed = content.safeParse(value);
  if (parsed.success) return parsed.data.keys;
  const [{ path, message }] = parsed.error.issues as [z.core.$ZodIssue];
  throw new KeyFileError(`${path.join(".") || "it"}: ${message}`);
}

/** @throws {KeyFileError} */
export function readKeyFile(path: string): string {
  try {
    if (Deno.statSync(path).size > MAX_SIZE) throw new KeyFileError(`it has more than ${MAX_SIZE} bytes`);
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw asKeyFileError(error);
  }
}

/** What kept a file from being read or written, in one line. */
export function asKeyFileError(error: unknown): KeyFileError {
  if (error instanceof KeyFileError) return error;
  if (error instanceof Deno.errors.NotFound) {
    return new KeyFileError("there is no such file; deno task keys add makes one");
  }
  return new KeyFileError(error instanceof Error ? error.message.split("\n")[0]! : String(error));
}

/**
 * Replaces the file by a changed one, as a whole or not at all: written beside it, flushed, renamed over it. What is
 * written beside it, with `.lock` behind its name, is also what keeps two changes from undoing each other.
 *
 * @param change is given the keys as they are; none where there is no file yet
 * @throws {KeyFileError} and whatever `change` throws
 */
export function changeKeyFile(
  path: string,
  change: (keys: readonly KeyEntry[]) => readonly KeyEntry[],
): void {
  const beside = `${path}.lock`;
  const file = lock(beside);
  try {
    const keys = change(exists(path) ? parseKeyFile(readKeyFile(path)) : []);
    // Checked like any other: what is written can be read again.
    const text = `${JSON.stringify({ keys }, null, 2)}\n`;
    parseKeyFile(text);
    writeAll(file, new TextEncoder().encode(text));
    file.syncSync();
    Deno.renameSync(beside, path);
  } catch (error) {
    Deno.removeSync(beside);
    throw error;
  } finally {
    file.close();
  }
}

function lock(beside: string): Deno.FsFile {
  try {
    // Hashes cannot be turned back into keys; still nobody else needs to see who has any.
    return Deno.openSync(beside, { write: true, createNew: true, mode: 0o600 });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) {
      throw new KeyFileError(`it is being changed by another command; if none runs, remove ${beside}`);
    }
    if (error instanceof Deno.errors.NotFound) throw new KeyFileError("there is no such folder");
    throw asKeyFileError(error);
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw asKeyFileError(error);
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}
