import type { Told } from "./told.ts";

/** Kept for those who come back. */
const MAX_EVENTS = 10_000;
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** An event among all that the process has told. */
export interface Entry extends Told {
  /** 1, 2, 3 … */
  readonly seq: number;
}

/** Whoever is told of an entry again when it is forgotten. */
export interface Holder {
  forget(entry: Entry): void;
}

/** The last events that anybody was interested in, bounded by count and size over all. Those who hold them forget. */
export class Journal {
  /** Tells its numbers from those of other processes. */
  readonly epoch = crypto.randomUUID().slice(0, 8);
  readonly #entries = new Array<{ entry: Entry; holders: readonly Holder[] } | undefined>(MAX_EVENTS);
  #characters = 0;
  #oldest = 1;
  #last = 0;

  /** The number of the last event; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  add(told: Told, holders: readonly Holder[]): Entry {
    const entry = { ...told, seq: ++this.#last };
    while (this.#last - this.#oldest >= MAX_EVENTS || this.#isTooLargeWith(told)) this.#forget();
    this.#entries[entry.seq % MAX_EVENTS] = { entry, holders };
    this.#characters += told.text.length;
    return entry;
  }

  clear(): void {
    while (this.#oldest <= this.#last) this.#forget();
  }

  #isTooLargeWith({ text }: Told): boolean {
    return this.#characters > 0 && this.#characters + text.length > MAX_CHARACTERS;
  }

  #forget(): void {
    const at = this.#oldest++ % MAX_EVENTS;
    const { entry, holders } = this.#entries[at]!;
    this.#entries[at] = undefined;
    this.#characters -= entry.text.length;
    for (const holder of holders) holder.forget(entry);
  }
}
