import type { LogLine } from "../task.ts";

const MAX_LINES = 1_000;
const MAX_BYTES = 64 * 1024;
/** Of a line besides its message. */
const OVERHEAD = 64;

/** The last lines of a log: at most 1,000 of them and 64 KiB. */
export class LastLines {
  #lines: LogLine[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(lines: readonly LogLine[]): void {
    for (const line of lines) {
      const message = line.message.slice(0, MAX_BYTES - OVERHEAD);
      this.#lines.push({ ...line, message });
      this.#bytes += message.length + OVERHEAD;
    }
    let dropped = 0;
    while (this.#lines.length - dropped > MAX_LINES || this.#bytes > MAX_BYTES) {
      this.#bytes -= this.#lines[dropped++]!.message.length + OVERHEAD;
    }
    if (dropped > 0) this.#lines.splice(0, dropped);
  }

  all(): LogLine[] {
    return this.#lines.slice();
  }
}
