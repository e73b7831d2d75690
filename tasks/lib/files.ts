/** Files as handlers see them, and where an input names one. */
import { z } from "zod";

/** How a result names a file that its task has made; for the `result` schema of a type with files. */
export const madeFile = z.strictObject({
  /** Its id: the bytes are at `/v1/files/{file}`. */
  file: z.uuid(),
  name: z.string().optional(),
  contentType: z.string().optional(),
  /** Bytes. */
  size: z.int().min(0).optional(),
});
export type MadeFile = z.output<typeof madeFile>;

/** One that the task's input names. */
export interface GivenFile {
  readonly id: string;
  /** What its giver calls it. For people: it may be any text. */
  readonly name: string | undefined;
  /** What its giver says that it is; nobody has checked. */
  readonly contentType: string;
  /** Bytes. */
  readonly size: number;
  /** Where it can be read until the run ends, for libraries that want a path. */
  readonly path: string;
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  text(): Promise<string>;
}

export interface FileOptions {
  /** For people; 255 characters. */
  name?: string;
  /** `application/octet-stream` unless said. */
  contentType?: string;
}

export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array>;

/** What a handler does with files, where its type says `files: true`. */
export interface TaskFiles {
  /**
   * Opens a file that the input names: any property `file` of it whose value is a file's id.
   *
   * @throws {TaskFailure} `file_missing` for any other id
   */
  open(id: string): Promise<GivenFile>;
  /**
   * Writes a file. It is kept where the task succeeds and its result holds the answer, or the id in it.
   *
   * @throws {TaskFailure} `result_too_large` past `FILE_MAX` bytes, of all that the run writes
   */
  write(content: FileContent, options?: FileOptions): Promise<MadeFile>;
  /** As `write`, for libraries that want a path: whatever is at it when the run ends is the file. */
  create(options?: FileOptions): { path: string; made: MadeFile };
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a text could be a file's id. */
export function isFileId(value: unknown): value is string {
  return typeof value === "string" && UUID.test(value);
}

/** Where an input names files, whatever its schema: each property `file` that holds a UUID. */
export function filesNamedIn(input: unknown): { path: (string | number)[]; id: string }[] {
  const found: { path: (string | number)[]; id: string }[] = [];
  const visit = (value: unknown, path: (string | number)[]) => {
    if (typeof value !== "object" || value === null) return;
    const entries = Array.isArray(value) ? value.entries() : Object.entries(value);
    for (const [key, inner] of entries) {
      if (key === "file" && isFileId(inner)) found.push({ path: [...path, key], id: inner.toLowerCase() });
      else visit(inner, [...path, key]);
    }
  };
  visit(input, []);
  return found;
}
