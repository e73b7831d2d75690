import { type FileContent, type FileOptions, type GivenFile, isFileId } from "../tasks/mod.ts";
import { type MadeFile, TaskFailure, type TaskFiles } from "../tasks/mod.ts";
import { type FilesSpec, MADE_MAX } from "./messages.ts";
import { type GivenMeta, inputs, outputs } from "./run_folder.ts";

const NAME_MAX = 1_000;
const TYPE_MAX = 255;
const utf8 = new TextEncoder();

/** Inside the thread wall: the files of one run, as its handler sees them. */
export class HandlerFiles implements TaskFiles {
  #made = 0;
  #bytes = 0;

  /** @param told called with each file that is made, before its content is written */
  constructor(
    readonly spec: FilesSpec | undefined,
    readonly key: number,
    readonly told: (id: string, name: string | null, contentType: string) => void,
  ) {}

  async open(id: string): Promise<GivenFile> {
    const path = `${inputs(this.#spec.folder, this.key)}/${isFileId(id) ? id.toLowerCase() : "none"}`;
    const meta = await Deno.readTextFile(`${path}.json`).catch((cause) => {
      throw new TaskFailure("file_missing", "The input names no such file.", { cause });
    });
    const { name, contentType, size }: GivenMeta = JSON.parse(meta);
    return {
      id: id.toLowerCase(),
      name,
      contentType,
      size,
      path,
      stream: () => Deno.openSync(path).readable,
      bytes: () => Deno.readFile(path),
      text: () => Deno.readTextFile(path),
    };
  }

  async write(content: FileContent, options?: FileOptions): Promise<MadeFile> {
    const { path, made } = this.create(options);
    let size = 0;
    using file = await Deno.open(path, { write: true, createNew: true });
    for await (
      const piece of typeof content === "string" || content instanceof Uint8Array ? [content] : content
    ) {
      const bytes = typeof piece === "string" ? utf8.encode(piece) : piece;
      size += bytes.length;
      this.#bytes += bytes.length;
      if (this.#bytes > this.#spec.max) throw tooLarge(this.#spec.max);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at)).catch(full);
    }
    return { ...made, size };
  }

  create({ name, contentType }: FileOptions = {}): { path: string; made: MadeFile } {
    const file = crypto.randomUUID();
    const path = `${outputs(this.#spec.folder, this.key)}/${file}`;
    if (++this.#made > MADE_MAX) {
      throw new TaskFailure("result_too_large", `A task can make ${MADE_MAX} files at most.`);
    }
    const type = contentType === undefined
      ? "application/octet-stream"
      : String(contentType).slice(0, TYPE_MAX);
    const text = name === undefined ? undefined : String(name).slice(0, NAME_MAX);
    this.told(file, text ?? null, type);
    return { path, made: { file, ...(text !== undefined && { name: text }), contentType: type } };
  }

  get #spec(): FilesSpec {
    if (this.spec === undefined) {
      throw new TypeError("A type with files says so: defineTask({ files: true }).");
    }
    return this.spec;
  }
}

function tooLarge(max: number): TaskFailure {
  return new TaskFailure("result_too_large", `The task's files take more than ${max} bytes.`);
}

function full(cause: unknown): never {
  if ((cause as { code?: unknown }).code !== "ENOSPC") throw cause;
  throw new TaskFailure("insufficient_storage", "The disk is full.", { retryable: true, cause });
}
