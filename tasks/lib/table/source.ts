import { guardedFetch } from "../egress/fetch.ts";
import { fileNameOf } from "../fetch/answer.ts";
import type { TaskFiles } from "../files.ts";
import { upstreamStatus } from "../web/upstream.ts";

/** Bytes of what a URL answers with. */
const URL_MAX = 2 ** 30;
/** A little less than the task's timeout. */
const URL_TIMEOUT = 9 * 60_000;

/** Where a table comes from. */
export interface Source {
  readonly name: string | undefined;
  readonly contentType: string | undefined;
  /** Bytes, where it is known. */
  readonly size: number | undefined;
  /** Bytes that have been read. */
  readonly read: number;
  readonly bytes: AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

/** @throws {TaskFailure} `upstream_status`, and those of `guardedFetch` and `files.open` */
export async function openSource(
  from: { file: string } | { url: string },
  files: TaskFiles,
  signal: AbortSignal,
): Promise<Source> {
  if ("file" in from) {
    const file = await files.open(from.file);
    return new Counted(file, file.stream());
  }
  const answer = await guardedFetch(from.url, { signal, maxBytes: URL_MAX, timeout: URL_TIMEOUT });
  if (answer.status >= 400) {
    await answer.body.cancel();
    throw upstreamStatus(new URL(from.url).host, answer.status, answer.headers);
  }
  const contentType = answer.headers.get("content-type") ?? undefined;
  return new Counted({ name: fileNameOf(answer), contentType, size: undefined }, answer.body);
}

class Counted implements Source {
  readonly name: string | undefined;
  readonly contentType: string | undefined;
  readonly size: number | undefined;
  readonly bytes: AsyncGenerator<Uint8Array>;
  read = 0;

  constructor(
    about: Pick<Source, "name" | "contentType" | "size">,
    readonly stream: ReadableStream<Uint8Array>,
  ) {
    this.name = about.name;
    this.contentType = about.contentType;
    this.size = about.size;
    this.bytes = this.#counted();
  }

  async close(): Promise<void> {
    await this.bytes.return(undefined);
    // Nobody had begun to read.
    if (!this.stream.locked) await this.stream.cancel();
  }

  async *#counted(): AsyncGenerator<Uint8Array> {
    for await (const piece of this.stream) {
      this.read += piece.length;
      yield piece;
    }
  }
}
