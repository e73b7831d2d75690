/** The ids that retention has forgotten, as far back as `limit` of them. */
export class Tombstones {
  /** A ring: the next one takes the place of the oldest. */
  #ring: string[] = [];
  #next = 0;
  #keys = new Set<string>();
  #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(owner: string, id: string): void {
    const key = keyOf(owner, id);
    if (this.#keys.has(key)) return;
    const oldest = this.#ring[this.#next];
    if (oldest !== undefined) this.#keys.delete(oldest);
    this.#keys.add(key);
    this.#ring[this.#next] = key;
    this.#next = (this.#next + 1) % this.#limit;
  }

  delete(owner: string, id: string): void {
    this.#keys.delete(keyOf(owner, id));
  }

  has(owner: string, id: string): boolean {
    return this.#keys.has(keyOf(owner, id));
  }
}

/** The length keeps apart what owner and id joined could mistake for each other. */
function keyOf(owner: string, id: string): string {
  return `${owner.length}:${owner}${id}`;
}
