/** Who waits for a lane: of all, and of one host. */
interface Waiting {
  readonly host: string;
  enter(): void;
}

/**
 * Lets so much work go on at once in all, and so much of it with one host. What waits goes on in the order in which it
 * came, past those whose host is busy.
 */
export class Lanes {
  #busy = 0;
  readonly #busyWith = new Map<string, number>();
  readonly #waiting: Waiting[] = [];

  constructor(readonly most: number, readonly perHost: number) {}

  /** @throws what the work throws */
  async run<T>(host: string, work: () => Promise<T>): Promise<T> {
    const { promise, resolve: enter } = Promise.withResolvers<void>();
    this.#waiting.push({ host, enter });
    this.#admit();
    await promise;
    try {
      return await work();
    } finally {
      this.#busy--;
      const left = this.#busyWith.get(host)! - 1;
      if (left > 0) this.#busyWith.set(host, left);
      else this.#busyWith.delete(host);
      this.#admit();
    }
  }

  #admit(): void {
    for (let i = 0; i < this.#waiting.length && this.#busy < this.most;) {
      const { host, enter } = this.#waiting[i]!;
      const beside = this.#busyWith.get(host) ?? 0;
      if (beside >= this.perHost) {
        i++;
        continue;
      }
      this.#waiting.splice(i, 1);
      this.#busy++;
      this.#busyWith.set(host, beside + 1);
      enter();
    }
  }
}
