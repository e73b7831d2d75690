import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import type { Log } from "../../queue/log.ts";
import type { Caller } from "../admit.ts";
import { webhookOf } from "../webhooks.ts";
import { Bucket, parseRate, type Rate } from "../rate.ts";
import { asKeyFileError, type KeyEntry, type KeyFileError, parseKeyFile, readKeyFile } from "./file.ts";
import { granted } from "./scopes.ts";
import { hashOf, idOf } from "./secret.ts";

/** Milliseconds between two looks at the file: what it says holds within a second. */
const LOOK_EVERY = 250;
/** Milliseconds after which a file that looks the same is the same: clocks of file systems are coarse. */
const SETTLED = 2_000;

/** A key in use; lives as long as its entry in the file stays as it is. */
export interface Key extends Caller {
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch; `Infinity` where it never expires. */
  readonly expiresAt: number;
  /** Absent where it has no rate. */
  readonly bucket?: Bucket;
}

interface Held {
  readonly key: Key;
  readonly hash: Uint8Array;
  /** What the file says of it. */
  readonly text: string;
  readonly end: AbortController;
}

/** Is compared where there is no key, so that an unknown id takes as long as a wrong secret. */
const NONE = new Uint8Array(32);

export interface KeyRingOptions {
  readonly path: string;
  /** Of keys that name none. */
  readonly rate?: Rate;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: Log;
}

/** The keys of the key file, and of every later version of it: looks for one several times a second. */
export class KeyRing {
  #options: KeyRingOptions;
  #held = new Map<string, Held>();
  #concurrency: ReadonlyMap<string, number> = new Map();
  #timer: ReturnType<typeof setInterval>;
  /** What the file was when it was last read: by its looks, and by its text. */
  #looks = "";
  #text: string;
  /** What is wrong with the file, until it is right again: said once, not four times a second. */
  #trouble: string | undefined;
  #looking = false;

  /** @throws {KeyFileError} where the file cannot be used from the start */
  constructor(options: KeyRingOptions) {
    this.#options = options;
    this.#text = readKeyFile(options.path);
    this.#hold(parseKeyFile(this.#text));
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
  }

  /** The key, if there is one with this text. Whether it has expired is for the caller to see. */
  find(text: string): Key | undefined {
    const id = idOf(text);
    if (id === undefined) return undefined;
    const held = this.#held.get(id);
    const same = timingSafeEqual(hashOf(text), held?.hash ?? NONE);
    return same ? held?.key : undefined;
  }

  /** Running tasks that an owner may have at once; `undefined` where no key of it says so. */
  concurrencyOf(owner: string): number | undefined {
    return this.#concurrency.get(owner);
  }

  /** The file is not looked at any more. */
  close(): void {
    clearInterval(this.#timer);
  }

  /** Keys that are as they were stay; those that are gone or have changed end. */
  #hold(entries: readonly KeyEntry[]): void {
    const before = this.#held;
    this.#held = new Map(entries.map((entry) => {
      const text = JSON.stringify(entry);
      const held = before.get(entry.id);
      return [entry.id, held?.text === text ? held : this.#take(entry, text)];
    }));
    const most = new Map<string, number>();
    for (const { owner, concurrency = 0 } of entries) {
      if (concurrency > 0) most.set(owner, Math.max(concurrency, most.get(owner) ?? 0));
    }
    this.#concurrency = most;
    for (const [id, held] of before) {
      if (this.#held.get(id) !== held) held.end.abort();
    }
  }

  #take({ id, owner, scopes, sha256, expiresAt, rate, webhook }: KeyEntry, text: string): Held {
    const end = new AbortController();
    const itsRate = rate === undefined ? this.#options.rate : parseRate(rate);
    const key = {
      owner,
      scopes: granted(scopes),
      keyId: id,
      signal: end.signal,
      webhook: webhook && webhookOf(webhook),
      expiresAt: expiresAt === undefined ? Infinity : Date.parse(expiresAt),
      bucket: itsRate && new Bucket(itsRate, this.#options.now()),
    };
    return { key, hash: Buffer.from(sha256, "hex"), text, end };
  }

  async #look(): Promise<void> {
    this.#endExpired();
    // A file system that does not answer gets no second question.
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#read();
      this.#trouble = undefined;
    } catch (error) {
      this.#complain(asKeyFileError(error));
    } finally {
      this.#looking = false;
    }
  }

  #endExpired(): void {
    const now = this.#options.now();
    for (const { key, end } of this.#held.values()) {
      if (key.expiresAt <= now) end.abort();
    }
  }

  async #read(): Promise<void> {
    const { path, now, log } = this.#options;
    const { mtime, size, ino } = await Deno.stat(path);
    const looks = `${mtime?.getTime()} ${size} ${ino}`;
    const settled = mtime !== null && now() - mtime.getTime() > SETTLED;
    if (settled && looks === this.#looks) return;
    const text = readKeyFile(path);
    this.#looks = looks;
    if (text === this.#text) return;
    this.#hold(parseKeyFile(text));
    this.#text = text;
    log("info", "The key file has changed.", { keys: this.#held.size });
  }

  #complain({ message }: KeyFileError): void {
    if (message === this.#trouble) return;
    this.#trouble = message;
    const { path, log } = this.#options;
    log("error", "The key file cannot be used; the keys stay as they were.", { file: path, error: message });
  }
}
