/**
 * Items by a text that is each one's own, such as entries by the id of their task. Not a `Map` of texts: on Deno 2.9
 * every text that is a key of one enters a table of the whole isolate, and with hundreds of thousands in it each new
 * text that is looked up anywhere, a path or a type's name, takes ten times as long (0.4 µs became 4 µs). Numbers do
 * not. The seed keeps clients, who may choose their ids, from choosing ids that meet.
 */
export class IdMap<T extends object> {
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0]!;
  readonly #items = new Map<number, T | T[]>();
  readonly #idOf: (item: T) => string;
  #size = 0;

  constructor(idOf: (item: T) => string) {
    this.#idOf = idOf;
  }

  get size(): number {
    return this.#size;
  }

  get(id: string): T | undefined {
    const found = this.#items.get(this.#hash(id));
    if (found === undefined) return undefined;
    if (Array.isArray(found)) return found.find((item) => this.#idOf(item) === id);
    return this.#idOf(found) === id ? found : undefined;
  }

  /** Its id must not be in here yet. */
  add(item: T): void {
    const hash = this.#hash(this.#idOf(item));
    const found = this.#items.get(hash);
    if (found === undefined) this.#items.set(hash, item);
    else if (Array.isArray(found)) found.push(item);
    else this.#items.set(hash, [found, item]);
    this.#size++;
  }

  delete(id: string): void {
    const hash = this.#hash(id);
    const found = this.#items.get(hash);
    if (found === undefined) return;
    const others = (Array.isArray(found) ? found : [found]).filter((item) => this.#idOf(item) !== id);
    if (others.length === (Array.isArray(found) ? found.length : 1)) return;
    if (others.length === 0) this.#items.delete(hash);
    else this.#items.set(hash, others.length === 1 ? others[0]! : others);
    this.#size--;
  }

  /** FNV-1a, begun with the seed, in 30 bits: such numbers need no memory of their own. */
  #hash(id: string): number {
    let hash = this.#seed;
    for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
    return (hash ^ (hash >>> 15)) & 0x3fffffff;
  }
}
