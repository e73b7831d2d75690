/** A file, as its owner and handlers know it. It never changes. */
export interface FileInfo {
  readonly id: string;
  /** Whose it is, as a task's. */
  readonly owner: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string;
  /** Of its bytes, in lower-case hexadecimal. */
  readonly sha256: string;
  /** What its giver calls it: for people, and never a path. */
  readonly name?: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** The task that made it; absent for an upload. */
  readonly task?: string;
}

/** What is said of a file before its bytes are known. */
export interface About {
  /** A new UUID unless given. */
  readonly id?: string;
  readonly contentType?: string;
  readonly name?: string;
  readonly task?: string;
  /** Bytes that are to come, where that is known: what cannot be kept is refused before it is read. */
  readonly size?: number;
}

/** Of bytes, counted from 0; `to` is inclusive. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/**
 * Where files rest: uploads, and what tasks have made. Whoever asks names the owner; another owner's file is as one
 * that never was.
 *
 * A file is kept while it is young (an upload), while the task that made it is known and has not ended without
 * naming it in its result, or while a task that was given it is known.
 */
export interface Files {
  /** Bytes of one file at most. */
  readonly fileMax: number;

  /**
   * Keeps the content as a new file, or nothing at all. When the promise resolves it survives a loss of power. At
   * no time is more of it in memory than a few pieces; each is done with when the next is asked for.
   *
   * @throws {FileError} `too-large`, `no-room`
   * @throws what `content` throws
   */
  put(owner: string, content: AsyncIterable<Uint8Array>, about: About): Promise<FileInfo>;

  /**
   * Keeps a copy of what a task has written at `path`, where nobody else can put something in its place any more. A
   * copy, as the task may still have it open.
   *
   * @throws {FileError} as `put`; `not-a-file` for a link, a folder, a pipe, or nothing
   */
  adopt(owner: string, path: string, about: About): Promise<FileInfo>;

  get(owner: string, id: string): Promise<FileInfo | undefined>;

  /** Its bytes, or some of them; `undefined` where it has gone meanwhile. */
  read(file: FileInfo, range?: Range): Promise<ReadableStream<Uint8Array> | undefined>;

  /** Makes the file appear at `path` as well, without a copy. It must not be written to there. */
  link(owner: string, id: string, path: string): Promise<FileInfo | undefined>;

  /** Keeps these files while the task is known, which it must be soon. Answers those that the owner does not have. */
  hold(owner: string, task: string, ids: readonly string[]): Promise<string[]>;

  /**
   * Forgets it, bytes and all. `false` where the owner has no such file.
   *
   * @throws {FileError} `in-use` while a task that made it or was given it has not finished
   */
  remove(owner: string, id: string): Promise<boolean>;

  /** Forgets what is no longer kept; answers how many files. */
  sweep(): Promise<number>;

  /** Nothing is called after it. */
  close(): void;
}

export type FileFault = "too-large" | "no-room" | "in-use" | "not-a-file";

const MESSAGES: Readonly<Record<FileFault, string>> = {
  "too-large": "The file is too large.",
  "no-room": "There is no room for more files.",
  "in-use": "A task that has not finished uses the file.",
  "not-a-file": "It is not a file.",
};

/** Why something cannot be done with a file. */
export class FileError extends Error {
  override name = "FileError";
  constructor(readonly fault: FileFault, options?: ErrorOptions) {
    super(MESSAGES[fault], options);
  }
}
