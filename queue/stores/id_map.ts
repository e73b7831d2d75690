import type { Entry } from "./entry.ts";

/**
 * Entries by the id of their task. Not a `Map` of texts: on Deno 2.9 every text that is a key of one enters a table
 * of the whole isolate, and with hundreds of thousands in it each new text that is looked up anywhere, a path or a
 * type's name, takes ten times as long (0.4 µs became 4 µs). Numbers do not. The seed keeps clients, who may choose
 * their ids, from choosing ids that meet.
 */
export class IdMap {
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0]!;
  readonly #entries = new Map<number, Entry | Entry[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: string): Entry | undefined {
    const found = this.#entries.get(this.#hash(id));
    if (found === undefined) return undefined;
    if (Array.isArray(found)) return found.find(({ task }) => task.id === id);
    return found.task.id === id ? found : undefined;
  }

  /** Its id must not be in here yet. */
  add(entry: Entry): void {
    const hash = this.#hash(entry.task.id);
    const found = this.#entries.get(hash);
    if (found === undefined) this.#entries.set(hash, entry);
    else if (Array.isArray(found)) found.push(entry);
    else this.#entries.set(hash, [found, entry]);
    this.#size++;
  }

  delete(id: string): void {
    const hash = this.#hash(id);
    const found = this.#entries.get(hash);
    if (found === undefined) return;
    const others = (Array.isArray(found) ? found : [found]).filter(({ task }) => task.id !== id);
    if (others.length === (Array.isArray(found) ? found.length : 1)) return;
    if (others.length === 0) this.#entries.delete(hash);
    else this.#entries.set(hash, others.length === 1 ? others[0]! : others);
    this.#size--;
  }

  /** FNV-1a, begun with the seed, in 30 bits: such numbers need no memory of their own. */
  #hash(id: string): number {
    let hash = this.#seed;
    for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
    return (hash ^ (hash >>> 15)) & 0x3fffffff;
  }
}
