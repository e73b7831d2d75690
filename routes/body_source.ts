/** A declared body is read in large pieces. */
const DECLARED = 64 * 1024;

/**
 * One in chunks is read in smaller ones. With every read Deno 2.9's server takes as many bytes from the socket as were
 * asked for, yet gives the rest of one chunk at most; what is left over it keeps, and moves with every further read.
 * Chunks are nearly always a multiple of 8 KiB, so that with room for their frames next to nothing is left over.
 */
const CHUNKED = 8 * 1024 + 16;

/** Of other chunks it can be a lot, which shows: reads for which nothing is waited take long, on average of so many. */
const READS = 256;
const SLOW = 0.25;

/** The bytes of a request, read into one buffer over and over. */
export class BodySource {
  /** The server has kept so much that it is busy with nothing but moving it. */
  strained = false;
  readonly #next: (room: Uint8Array<ArrayBuffer>) => Promise<ReadableStreamReadResult<Uint8Array>>;
  readonly #reader: { cancel(): Promise<void> };
  #room: Uint8Array<ArrayBuffer>;
  #turn: ReturnType<typeof setImmediate> | undefined;
  #reads = 0;
  #took = 0;

  /** @param declared whether its length is known */
  constructor(body: ReadableStream<Uint8Array>, declared: boolean) {
    this.#room = new Uint8Array(declared ? DECLARED : CHUNKED);
    const reader = byob(body);
    if (reader === undefined) {
      const plain = body.getReader();
      this.#reader = plain;
      this.#next = () => plain.read();
    } else {
      this.#reader = reader;
      this.#next = async (room) => {
        const result = await reader.read(room);
        if (result.value) this.#room = new Uint8Array(result.value.buffer);
        return result as ReadableStreamReadResult<Uint8Array>;
      };
    }
  }

  /** The next piece, valid until the one after it; `undefined` at the end. */
  async next(): Promise<Uint8Array | undefined> {
    const begun = performance.now();
    // It fires when the event loop turns.
    this.#turn ??= setImmediate(() => this.#turn = undefined);
    const { done, value } = await this.#next(this.#room);
    this.#note(performance.now() - begun, this.#turn === undefined);
    return done ? undefined : value;
  }

  end(): void {
    if (this.#turn !== undefined) clearImmediate(this.#turn);
    // Of no effect behind the body's end.
    this.#reader.cancel().catch(() => {});
  }

  /** @param waited whether the event loop has turned meanwhile: then nothing was left over */
  #note(took: number, waited: boolean): void {
    if (!waited) {
      this.#took += took;
      if (++this.#reads < READS) return;
      this.strained = this.#took > READS * SLOW;
    }
    this.#reads = this.#took = 0;
  }
}

/** Only of streams of bytes: a request that was made by hand may have another. */
function byob(body: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
}
