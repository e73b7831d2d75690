import type { Reader } from "./reader.ts";

const COMMENT = new TextEncoder().encode(":\n\n");
const EVERY = 15_000;
const TURNS = 60;

/**
 * Sends each reader a comment every 15 seconds, so that nothing between takes the connection for dead. With one timer
 * for all, and each reader in one of 60 turns: to send to all of them at once would hold up everybody else.
 */
export class Heart {
  readonly #turns = Array.from({ length: TURNS }, () => new Set<Reader>());
  #size = 0;
  #next = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  get size(): number {
    return this.#size;
  }

  /** @returns to be called when it has ended */
  add(reader: Reader): () => void {
    const turn = this.#turns.reduce((least, turn) => turn.size < least.size ? turn : least);
    turn.add(reader);
    this.#size++;
    this.#timer ??= setInterval(() => this.#beat(), EVERY / TURNS);
    return () => {
      turn.delete(reader);
      if (--this.#size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  }

  #beat(): void {
    this.#next = (this.#next + 1) % TURNS;
    for (const reader of this.#turns[this.#next]!) reader.send(COMMENT);
  }

  /** All that there are. */
  *readers(): Generator<Reader> {
    for (const turn of this.#turns) yield* turn;
  }
}
