import { BodySource } from "./body_source.ts";
import { Problem, type ProblemCode } from "./problem.ts";
import type { Limits } from "./deps.ts";

/** Up to here a body with a declared length is read in one call, which is a lot faster than chunk by chunk. */
const SMALL = 64 * 1024;

/**
 * Turns of the microtask queue after which a body that came along with its headers has been read. Only later ones
 * are watched: starting and stopping the sweeper costs as much as all the rest of a read.
 */
const ARRIVED = 3;

/** Stalls are noticed at the first sweep past the deadline, so at most a twentieth late. */
const SWEEPS = 20;

/**
 * For a body that was begun as a stream and is not read to its end. Deno says it by itself of the others, and then
 * it would be said twice.
 */
const CLOSE = { connection: "close" };

const BROKEN = "The body could not be read to its end.";
const STRAINED = "So many small chunks come so fast that they pile up here: declare how long the body is.";

const MEDIA_TYPE =
  /^application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;\s*charset\s*=\s*(?:"utf-8"|utf-8)\s*)?;?\s*$/i;

// With `ignoreBOM` a BOM stays in the text, where it is no JSON (RFC 8259, 8.1).
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface Read {
  /** The sweep at which it began to be waited for. */
  since: number;
  /** It is not waited for just now. */
  paused: boolean;
  /** Of the answer where nothing comes. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly giveUp: (reason: Problem) => void;
}

/** Reads bodies: bounded in bytes, and in the time that it waits for them. */
export class BodyReader {
  /** Those that are waited for, in the order of their beginning. */
  #reads = new Set<Read>();
  /** One for all, and only while there are any. */
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #sweeps = 0;

  constructor(readonly limits: Pick<Limits, "body" | "bodyTimeout">) {}

  /** @throws {Problem} */
  async text(request: Request): Promise<string> {
    const { headers } = request;
    checkMedia(headers);
    const declared = headers.get("content-length");
    const length = declared === null ? NaN : Number(declared);
    if (length > this.limits.body) throw tooLarge(this.limits.body);
    const bytes = length <= SMALL ? await this.#await(request.bytes()) : await this.#whole(request);
    if (bytes.length > this.limits.body) throw tooLarge(this.limits.body);
    try {
      return decoder.decode(bytes);
    } catch {
      throw new Problem("invalid-encoding");
    }
  }

  /**
   * A body as it comes, of `most` bytes at most. Each piece is waited for as long as a whole small body, and is valid
   * until the next is asked for.
   *
   * @param broken what it is where the client goes away before the end
   * @throws {Problem}
   */
  async *pieces(request: Request, most: number, broken: ProblemCode): AsyncGenerator<Uint8Array> {
    if (request.body === null) return;
    const source = new BodySource(request.body, request.headers.has("content-length"));
    let late: Problem | undefined;
    const giveUp = (reason: Problem) => {
      late = reason;
      // So that the read ends that is waited for.
      source.end();
    };
    const read: Read = { since: this.#sweeps, paused: false, headers: CLOSE, giveUp };
    let size = 0;
    try {
      while (true) {
        this.#begin(read);
        const piece = await source.next().catch(() => {
          throw late ?? new Problem(broken, BROKEN);
        });
        if (late !== undefined) throw late;
        if (piece === undefined) return;
        size += piece.length;
        if (size > most) throw tooLarge(most, CLOSE);
        if (source.strained) throw new Problem("length-required", STRAINED, { headers: CLOSE, cut: true });
        // What is done with it is not the client's fault.
        read.paused = true;
        yield piece;
      }
    } finally {
      this.#end(read);
      source.end();
    }
  }

  async #whole(request: Request): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const piece of this.pieces(request, this.limits.body, "malformed-json")) {
      size += piece.length;
      chunks.push(piece.slice());
    }
    return join(chunks, size);
  }

  /** The outcome of a read, unless nothing comes in time. */
  async #await<T>(reading: Promise<T>): Promise<T> {
    let arrived = false;
    const arrive = () => void (arrived = true);
    reading.then(arrive, arrive);
    for (let turn = 0; turn < ARRIVED && !arrived; turn++) await undefined;
    try {
      return arrived ? await reading : await this.#watch(reading);
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw new Problem("malformed-json", BROKEN);
    }
  }

  #watch<T>(reading: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const read: Read = { since: 0, paused: false, giveUp: reject };
      this.#begin(read);
      reading.then(resolve, reject).finally(() => this.#end(read));
    });
  }

  /** From now on it is waited for. */
  #begin(read: Read): void {
    read.since = this.#sweeps;
    read.paused = false;
    // Again, behind those that began before.
    this.#reads.delete(read);
    this.#reads.add(read);
    this.#sweeper ??= setInterval(() => this.#sweep(), this.limits.bodyTimeout / SWEEPS);
  }

  #sweep(): void {
    this.#sweeps++;
    for (const read of this.#reads) {
      if (read.paused) continue;
      if (this.#sweeps - read.since <= SWEEPS) break;
      this.#end(read);
      const detail = `The body, or more of it, did not come within ${this.limits.bodyTimeout} ms.`;
      read.giveUp(new Problem("request-timeout", detail, { headers: read.headers }));
    }
  }

  #end(read: Read): void {
    this.#reads.delete(read);
    if (this.#reads.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}

function tooLarge(most: number, headers?: Read["headers"]): Problem {
  return new Problem("body-too-large", `At most ${most} bytes are accepted.`, { headers });
}

function checkMedia(headers: Headers): void {
  const type = headers.get("content-type");
  const encoding = headers.get("content-encoding");
  const json = type === "application/json" || (type !== null && MEDIA_TYPE.test(type));
  if (json && (encoding === null || encoding.toLowerCase() === "identity")) return;
  const detail = json
    ? "Content-Encoding must be absent."
    : "Content-Type must be application/json, in UTF-8.";
  throw new Problem("unsupported-media-type", detail, { headers: { accept: "application/json" } });
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
