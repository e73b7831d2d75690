import type { Log } from "../log.ts";
import type { Store } from "../store.ts";
import { isFinal } from "../task.ts";
import { type About, FileError, type FileInfo, type Files, type Range } from "./files.ts";
import { ANY_TYPE, mediaType, safeName } from "./names.ts";
import { piecesOf, Vault } from "./vault.ts";

export interface DiskFilesOptions {
  /** Nobody else may write there. */
  readonly folder: string;
  readonly fileMax: number;
  /** Bytes of all files at most. */
  readonly maxBytes: number;
  /** Milliseconds that an upload is kept which no task uses. */
  readonly retention: number;
  /** Which says whether a file's tasks are still known. */
  readonly tasks: Pick<Store, "get">;
  readonly newId: () => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log?: Log;
}

/** What is known of each is in memory, so their number is bounded too. */
const MOST_FILES = 100_000;
/** Between the hold of a file and the acceptance of its task. */
const ACCEPTED_WITHIN = 60_000;
const SWEEP_EVERY = 60_000;
/** Files looked at in one turn of the event loop. */
const SWEEP_AT_ONCE = 200;

interface Entry {
  readonly info: FileInfo;
  /** Tasks that hold it, and since when as far as this process knows. */
  readonly holders: Map<string, number>;
  /** Grows with every hold, so that who decides to forget it notices. */
  holds: number;
}

/** Files in a folder of this machine. */
export class DiskFiles implements Files {
  readonly fileMax: number;
  readonly #entries = new Map<string, Entry>();
  readonly #options: DiskFilesOptions;
  readonly #vault: Vault;
  readonly #timer: ReturnType<typeof setInterval>;
  /** Of all files, those included that are just being written. */
  #bytes = 0;
  #writing = 0;

  private constructor(options: DiskFilesOptions, vault: Vault) {
    this.fileMax = options.fileMax;
    this.#options = options;
    this.#vault = vault;
    this.#timer = setInterval(() => {
      this.sweep().catch((error) =>
        options.log?.("error", "Files were not swept.", { error: String(error) })
      );
    }, SWEEP_EVERY);
    Deno.unrefTimer(this.#timer);
  }

  /** Finds again all that was kept before. */
  static async open(options: DiskFilesOptions): Promise<DiskFiles> {
    const vault = await Vault.open(options.folder);
    const files = new DiskFiles(options, vault);
    const now = options.now();
    for await (const { info, holders } of vault.all()) {
      files.#add({ info, holders: new Map(holders.map((task) => [task, now])), holds: 0 });
      files.#bytes += info.size;
    }
    return files;
  }

  async put(owner: string, content: AsyncIterable<Uint8Array>, about: About): Promise<FileInfo> {
    const { newId, now, maxBytes } = this.#options;
    const { id = newId(), size: declared = 0, task } = about;
    const name = safeName(about.name);
    if (declared > this.fileMax) throw new FileError("too-large");
    const many = this.#entries.size + this.#writing >= MOST_FILES;
    if (many || this.#bytes + declared > maxBytes) throw new FileError("no-room");
    const counted = this.#count(content);
    this.#writing++;
    try {
      const info = await this.#vault.write(id, counted.content, (size, sha256) => ({
        id,
        owner,
        size,
        contentType: mediaType(about.contentType ?? "") ?? ANY_TYPE,
        sha256,
        ...(name !== undefined && { name }),
        createdAt: now(),
        ...(task !== undefined && { task }),
      }));
      this.#add({ info, holders: new Map(), holds: 0 });
      return info;
    } catch (error) {
      this.#bytes -= counted.bytes();
      throw error;
    } finally {
      this.#writing--;
    }
  }

  async adopt(owner: string, path: string, about: About): Promise<FileInfo> {
    const { isFile, nlink, size } = await Deno.lstat(path).catch((cause) => {
      throw new FileError("not-a-file", { cause });
    });
    // With a second name it may be somebody else's.
    if (!isFile || (nlink ?? 1) > 1) throw new FileError("not-a-file");
    using file = await Deno.open(path);
    return await this.put(owner, piecesOf(file), { ...about, size });
  }

  async get(owner: string, id: string): Promise<FileInfo | undefined> {
    const entry = this.#entries.get(id);
    return entry?.info.owner === owner && await this.#isKept(entry) ? entry.info : undefined;
  }

  read({ id, size }: FileInfo, { from, to }: Range = { from: 0, to: size - 1 }) {
    return this.#vault.read(id, to < size - 1 ? { from, to } : { from });
  }

  async link(owner: string, id: string, path: string): Promise<FileInfo | undefined> {
    const info = this.#entries.get(id)?.info;
    return info?.owner === owner && await this.#vault.link(id, path) ? info : undefined;
  }

  async hold(owner: string, task: string, ids: readonly string[]): Promise<string[]> {
    const found = await Promise.all(ids.map((id) => this.get(owner, id)));
    // Again, as one may have gone while another was looked for.
    const missing = ids.filter((id, i) => found[i] === undefined || !this.#entries.has(id));
    if (missing.length > 0) return missing;
    const held = ids.filter((id) => {
      const entry = this.#entries.get(id)!;
      entry.holds++;
      const already = entry.holders.has(task);
      entry.holders.set(task, this.#options.now());
      return !already;
    });
    try {
      await Promise.all(held.map((id) => this.#vault.hold(id, task)));
    } catch (error) {
      for (const id of held) this.#entries.get(id)?.holders.delete(task);
      throw error;
    }
    return [];
  }

  async remove(owner: string, id: string): Promise<boolean> {
    const entry = this.#entries.get(id);
    if (entry === undefined || await this.get(owner, id) === undefined) return false;
    const { holds } = entry;
    if (await this.#isInUse(entry) || entry.holds !== holds) throw new FileError("in-use");
    return await this.#forget(entry);
  }

  async sweep(): Promise<number> {
    let looked = 0;
    let forgotten = 0;
    for (const entry of [...this.#entries.values()]) {
      const { holds } = entry;
      for (const [task, since] of entry.holders) {
        if (++looked % SWEEP_AT_ONCE === 0) await turn();
        if (await this.#isKnown(entry, task, since)) continue;
        entry.holders.delete(task);
        await this.#vault.release(entry.info.id, task);
      }
      if (++looked % SWEEP_AT_ONCE === 0) await turn();
      if (await this.#isKept(entry) || entry.holds !== holds) continue;
      if (await this.#forget(entry)) forgotten++;
    }
    return forgotten;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #add(entry: Entry): void {
    this.#entries.set(entry.info.id, entry);
  }

  async #forget({ info }: Entry): Promise<boolean> {
    if (!this.#entries.delete(info.id)) return false;
    await this.#vault.remove(info.id);
    this.#bytes -= info.size;
    return true;
  }

  /** Lets through what is within the bounds. */
  #count(content: AsyncIterable<Uint8Array>) {
    const { fileMax } = this;
    const { maxBytes } = this.#options;
    let size = 0;
    const counted = async function* (this: DiskFiles) {
      for await (const piece of content) {
        size += piece.length;
        this.#bytes += piece.length;
        if (size > fileMax) throw new FileError("too-large");
        if (this.#bytes > maxBytes) throw new FileError("no-room");
        yield piece;
      }
    };
    return { content: counted.call(this), bytes: () => size };
  }

  async #isKept(entry: Entry): Promise<boolean> {
    const { id, owner, createdAt, task } = entry.info;
    if (task === undefined) {
      if (this.#options.now() - createdAt < this.#options.retention) return true;
    } else {
      const maker = await this.#options.tasks.get(owner, task);
      if (maker && (!isFinal(maker.status) || maker.result?.includes(id))) return true;
    }
    for (const [holder, since] of entry.holders) {
      if (await this.#isKnown(entry, holder, since)) return true;
    }
    return false;
  }

  async #isKnown({ info }: Entry, task: string, since: number): Promise<boolean> {
    if (this.#options.now() - since < ACCEPTED_WITHIN) return true;
    return await this.#options.tasks.get(info.owner, task) !== undefined;
  }

  async #isInUse({ info, holders }: Entry): Promise<boolean> {
    const { now, tasks } = this.#options;
    const users = [...holders, ...(info.task === undefined ? [] : [[info.task, -Infinity] as const])];
    for (const [id, since] of users) {
      const task = await tasks.get(info.owner, id);
      if (task ? !isFinal(task.status) : now() - since < ACCEPTED_WITHIN) return true;
    }
    return false;
  }
}

/** Lets others go first. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
