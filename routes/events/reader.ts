/** Bytes that may wait for a reader. Who does not read is dropped beyond it, and goes on where it was if it comes back. */
const MAX_WAITING = 256 * 1024;
const BUFFER = { highWaterMark: MAX_WAITING, size: (chunk: Uint8Array) => chunk.byteLength };

/** One who reads a stream: the answer's body is `body`. There may be tens of thousands, so it holds next to nothing. */
export class Reader {
  readonly body: ReadableStream<Uint8Array>;
  /** Events up to this one it has been sent, as its topic counts them. */
  after = 0;
  #controller!: ReadableStreamDefaultController<Uint8Array>;
  #ended: (() => void) | undefined;

  /** @param ended called once, when nothing more can be sent, for whatever reason */
  constructor(ended: () => void) {
    this.#ended = ended;
    this.body = new ReadableStream(this, BUFFER);
  }

  /** The stream's own affair: called by it. */
  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
  }

  /** The stream's own affair: called when the client has gone. */
  cancel(): void {
    this.#over();
  }

  /** What waits for it is less than the bound and one message more. */
  send(bytes: Uint8Array): void {
    if (this.#ended === undefined) return;
    if (this.#controller.desiredSize! > 0) return this.#controller.enqueue(bytes);
    // An error, unlike an end, lets go of what waits.
    this.#controller.error(new Error("The reader did not read."));
    this.#over();
  }

  /** What has been sent is still read. */
  end(): void {
    if (this.#ended === undefined) return;
    this.#controller.close();
    this.#over();
  }

  #over(): void {
    const ended = this.#ended;
    this.#ended = undefined;
    ended?.();
  }
}
