import { Problem } from "./problem.ts";
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

const MEDIA_TYPE =
  /^application\/(?:[\w.!#$&^-]+\+)?json\s*(?:;\s*charset\s*=\s*(?:"utf-8"|utf-8)\s*)?;?\s*$/i;

// With `ignoreBOM` a BOM stays in the text, where it is no JSON (RFC 8259, 8.1).
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface Read {
  readonly since: number;
  /** Of the answer where nothing comes. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly giveUp: (reason: Problem) => void;
}

/** Reads bodies of JSON: bounded in bytes, and in the time that it waits for them. */
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
    if (length > this.limits.body) throw this.#tooLarge();
    const bytes = length <= SMALL ? await this.#await(request.bytes()) : await this.#stream(request);
    if (bytes.length > this.limits.body) throw this.#tooLarge();
    try {
      return decoder.decode(bytes);
    } catch {
      throw new Problem("invalid-encoding");
    }
  }

  async #stream(request: Request): Promise<Uint8Array> {
    if (request.body === null) return new Uint8Array();
    const reader = request.body.getReader();
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      while (true) {
        const { done, value } = await this.#await(reader.read(), CLOSE);
        if (done) return join(chunks, size);
        size += value.length;
        if (size > this.limits.body) throw this.#tooLarge(CLOSE);
        chunks.push(value);
      }
    } catch (error) {
      reader.cancel().catch(() => {});
      throw error;
    }
  }

  /** The outcome of a read, unless nothing comes in time. */
  async #await<T>(reading: Promise<T>, headers?: Read["headers"]): Promise<T> {
    let arrived = false;
    const arrive = () => void (arrived = true);
    reading.then(arrive, arrive);
    for (let turn = 0; turn < ARRIVED && !arrived; turn++) await undefined;
    try {
      return arrived ? await reading : await this.#watch(reading, headers);
    } catch (error) {
      if (error instanceof Problem) throw error;
      throw new Problem("malformed-json", "The body could not be read to its end.");
    }
  }

  #watch<T>(reading: Promise<T>, headers: Read["headers"]): Promise<T> {
    return new Promise((resolve, reject) => {
      const read: Read = { since: this.#sweeps, headers, giveUp: reject };
      this.#reads.add(read);
      this.#sweeper ??= setInterval(() => this.#sweep(), this.limits.bodyTimeout / SWEEPS);
      reading.then(resolve, reject).finally(() => this.#end(read));
    });
  }

  #sweep(): void {
    this.#sweeps++;
    for (const read of this.#reads) {
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

  #tooLarge(headers?: Read["headers"]): Problem {
    return new Problem("body-too-large", `At most ${this.limits.body} bytes are accepted.`, { headers });
  }
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
