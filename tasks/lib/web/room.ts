import { tooLarge } from "../egress/failures.ts";
import { TaskFailure } from "../failure.ts";

/** The memory that answers may take. */
export class Room {
  #kept = 0;

  /**
   * @param each bytes that one may have
   * @param all characters that all may have in the result
   */
  constructor(readonly each: number, readonly all: number) {}

  /** @throws {TaskFailure} `response_too_large` */
  async read(body: AsyncIterable<Uint8Array>, host: string): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    for await (const piece of body) {
      length += piece.length;
      if (length > this.each) throw tooLarge(host, `${this.each} bytes, which go into no result`);
      pieces.push(piece);
    }
    const whole = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  /** @throws {TaskFailure} `result_too_large` */
  keep<T>(value: T): T {
    this.#kept += typeof value === "string" ? value.length : JSON.stringify(value).length;
    if (this.#kept <= this.all) return value;
    throw new TaskFailure("result_too_large", `All together has more than ${this.all} characters.`);
  }
}
