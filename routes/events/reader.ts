/**
 * Bytes that may wait for a reader, and the bytes of one message, which all its readers share. Who does not read, or
 * is too far behind for it, is dropped, and goes on where it was if it comes back.
 */
const MAX_WAITING = 256 * 1024;
const MAX_MESSAGE = 4 * 1024 * 1024;
/** Nothing waits in the stream itself: of that it would let go by an error alone, which Deno prints. */
const NO_BUFFER = { highWaterMark: 0 };

/** One who reads a stream: the answer's body is `body`. There may be tens of thousands, so it holds next to nothing. */
export class Reader {
  readonly body: ReadableStream<Uint8Array>;
  /** Events up to this one it has been sent, as its topic counts them. */
  after = 0;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #ended: (() => void) | undefined;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  /** It reads, and there was nothing. */
  #reads = false;

  /** @param ended called once, when nothing more can be sent, for whatever reason */
  constructor(ended: () => void) {
    this.#ended = ended;
    this.body = new ReadableStream(this, NO_BUFFER);
  }

  /** The stream's own affair, as are the next two: called by it. */
  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
  }

  /** It wants more. */
  pull(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#reads = true;
    else {
      this.#bytes -= next.byteLength;
      this.#controller.enqueue(next);
    }
    this.#closeIfDone();
  }

  /** The client has gone. */
  cancel(): void {
    this.#over();
  }

  /** What waits for it is less than the bound and one message more. */
  send(bytes: Uint8Array): void {
    const { byteLength } = bytes;
    if (this.#ended === undefined || byteLength === 0) return;
    if (this.#bytes >= MAX_WAITING || byteLength > MAX_MESSAGE) {
      this.#waiting = [];
      this.end();
    } else if (this.#reads) {
      this.#reads = false;
      this.#controller.enqueue(bytes);
    } else {
      this.#waiting.push(bytes);
      this.#bytes += byteLength;
    }
  }

  /** What has been sent is still read. */
  end(): void {
    if (this.#ended === undefined) return;
    this.#over();
    this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#ended === undefined && this.#waiting.length === 0) this.#controller.close();
  }

  #over(): void {
    const ended = this.#ended;
    this.#ended = undefined;
    ended?.();
  }
}
