/**
 * Files on a disk, and nothing of what they are for:
 *
 *     kept/<id>/data, meta.json, held.<task>
 *     temp/<uuid>/…
 *
 * A file is written as a folder in `temp/` and appears by one rename; it goes by one rename, too. So there is nothing
 * half-written to be found, whenever the power fails: what is left in `temp/` is thrown away at the next start.
 */
import { createHash } from "node:crypto";
import { FileError, type FileInfo, type Range } from "./files.ts";

/** Bytes of one piece, where a file is read or written. */
const PIECE = 64 * 1024;
const HELD = "held.";

export interface Kept {
  readonly info: FileInfo;
  /** The tasks that hold it. */
  readonly holders: readonly string[];
}

export class Vault {
  readonly #kept: string;
  readonly #temp: string;

  private constructor(folder: string) {
    this.#kept = `${folder}/kept`;
    this.#temp = `${folder}/temp`;
  }

  static async open(folder: string): Promise<Vault> {
    const vault = new Vault(folder);
    await removeAll(vault.#temp);
    for (const path of [vault.#kept, vault.#temp]) await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    return vault;
  }

  /** All that is there. What somebody else has put there is passed over. */
  async *all(): AsyncGenerator<Kept> {
    for await (const { name } of Deno.readDir(this.#kept)) {
      try {
        const info: FileInfo = JSON.parse(await Deno.readTextFile(`${this.#kept}/${name}/meta.json`));
        const holders: string[] = [];
        for await (const entry of Deno.readDir(`${this.#kept}/${name}`)) {
          if (entry.name.startsWith(HELD)) holders.push(entry.name.slice(HELD.length));
        }
        if (info.id === name) yield { info, holders };
      } catch { /* It is not ours. */ }
    }
  }

  /** @param describe called with what only the bytes tell */
  async write(
    id: string,
    content: AsyncIterable<Uint8Array>,
    describe: (size: number, sha256: string) => FileInfo,
  ): Promise<FileInfo> {
    const folder = `${this.#temp}/${crypto.randomUUID()}`;
    try {
      await Deno.mkdir(folder, { mode: 0o700 });
      const hash = createHash("sha256");
      let size = 0;
      await writeNew(`${folder}/data`, async (file) => {
        for await (const block of inBlocks(content)) {
          hash.update(block);
          await writeAll(file, block);
          size += block.length;
        }
      });
      const info = describe(size, hash.digest("hex"));
      const meta = new TextEncoder().encode(JSON.stringify(info));
      await writeNew(`${folder}/meta.json`, (file) => writeAll(file, meta));
      await sync(folder);
      await Deno.rename(folder, this.#path(id));
      await sync(this.#kept);
      return info;
    } catch (error) {
      await removeAll(folder).catch(() => {});
      throw isFull(error) ? new FileError("no-room", { cause: error }) : error;
    }
  }

  /** `undefined` where it has gone. */
  async read(id: string, { from = 0, to }: Partial<Range>): Promise<ReadableStream<Uint8Array> | undefined> {
    const file = await Deno.open(this.#data(id)).catch(nothingThere);
    if (file === undefined) return undefined;
    await file.seek(from, Deno.SeekMode.Start);
    // To the end, the server sends it without a byte passing through here.
    return to === undefined ? file.readable : streamOf(file, to - from + 1);
  }

  async link(id: string, path: string): Promise<boolean> {
    const linked = await Deno.link(this.#data(id), path).then(() => true).catch(nothingThere);
    return linked !== undefined;
  }

  async remove(id: string): Promise<void> {
    const folder = `${this.#temp}/${crypto.randomUUID()}`;
    await Deno.rename(this.#path(id), folder).catch(nothingThere);
    await sync(this.#kept);
    await removeAll(folder);
  }

  async hold(id: string, task: string): Promise<void> {
    try {
      await Deno.writeFile(`${this.#path(id)}/${HELD}${task}`, new Uint8Array());
      await sync(this.#path(id));
    } catch (error) {
      throw isFull(error) ? new FileError("no-room", { cause: error }) : error;
    }
  }

  async release(id: string, task: string): Promise<void> {
    await Deno.remove(`${this.#path(id)}/${HELD}${task}`).catch(nothingThere);
  }

  #path(id: string): string {
    return `${this.#kept}/${id}`;
  }

  #data(id: string): string {
    return `${this.#kept}/${id}/data`;
  }
}

/** The same bytes in pieces of one size, the last one aside; each is valid until the next is asked for. */
async function* inBlocks(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const block = new Uint8Array(PIECE);
  let filled = 0;
  for await (const piece of content) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + PIECE - filled);
      block.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < PIECE) continue;
      yield block;
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

/** The rest of a file. */
export async function* piecesOf(file: Deno.FsFile): AsyncGenerator<Uint8Array> {
  while (true) {
    const piece = new Uint8Array(PIECE);
    const count = await file.read(piece);
    if (count === null) return;
    yield piece.subarray(0, count);
  }
}

/** The next `length` bytes of a file, piece by piece as they are asked for; closes it. */
function streamOf(file: Deno.FsFile, length: number): ReadableStream<Uint8Array> {
  let left = length;
  return new ReadableStream({
    async pull(controller) {
      const piece = new Uint8Array(Math.min(PIECE, left));
      const count = left > 0 ? await file.read(piece) : null;
      if (count === null) {
        file.close();
        return controller.close();
      }
      left -= count;
      controller.enqueue(piece.subarray(0, count));
    },
    cancel: () => file.close(),
  }, { highWaterMark: 0 });
}

/** Read-only, since what is kept never changes: also for whoever has a link to it. */
async function writeNew(path: string, write: (file: Deno.FsFile) => Promise<void>): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o400 });
  await write(file);
  await file.sync();
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}

/** A folder: what was created or renamed in it stays so (fsync(2)). */
async function sync(folder: string): Promise<void> {
  using handle = await Deno.open(folder);
  await handle.sync();
}

async function removeAll(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch(nothingThere);
}

function nothingThere(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** The disk, or what this user may have of it. */
function isFull(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return code === "ENOSPC" || code === "EDQUOT";
}
