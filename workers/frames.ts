import { Buffer } from "node:buffer";
import type { Socket } from "node:net";

const HEADER = 4;

/**
 * Texts over a socket, each behind its length: a 32-bit big-endian count of UTF-8 bytes. A frame longer than
 * `limit` is announced to `violated` as soon as its length is read, before anything of it is kept.
 */
export class Frames {
  #chunks: Buffer[] = [];
  #have = 0;
  #need = HEADER;
  #inBody = false;

  constructor(
    private readonly socket: Socket,
    private readonly limit: number,
    private readonly received: (text: string) => void,
    private readonly violated: (why: string) => void,
  ) {
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
  }

  send(text: string): void {
    const length = Buffer.byteLength(text);
    const frame = Buffer.allocUnsafe(HEADER + length);
    frame.writeUInt32BE(length);
    frame.write(text, HEADER, length, "utf8");
    this.socket.write(frame);
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#have += chunk.length;
    if (this.#have < this.#need) return;
    let all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#have);
    while (all.length >= this.#need) {
      const part = all.subarray(0, this.#need);
      all = all.subarray(this.#need);
      if (this.#inBody) {
        this.#inBody = false;
        this.#need = HEADER;
        this.received(part.toString("utf8"));
      } else {
        this.#need = part.readUInt32BE();
        this.#inBody = true;
        if (this.#need > this.limit) {
          this.socket.removeAllListeners("data");
          return this.violated("A frame over the limit.");
        }
      }
    }
    this.#chunks = all.length > 0 ? [all] : [];
    this.#have = all.length;
  }
}
