/** Items in one piece of the list. Moving so few is cheaper than any cleverness. */
const CHUNK = 512;

/**
 * Items in ascending order of a number that is each one's own, kept in chunks: to put one behind the last is O(1),
 * to insert or remove one elsewhere moves at most a chunk's items.
 */
export class SortedList<T> {
  /** None is empty. */
  #chunks: T[][] = [];
  #length = 0;
  #key: (item: T) => number;

  constructor(key: (item: T) => number) {
    this.#key = key;
  }

  get length(): number {
    return this.#length;
  }

  insert(item: T): void {
    const key = this.#key(item);
    const chunks = this.#chunks;
    const last = chunks[chunks.length - 1];
    this.#length++;
    if (last === undefined || this.#key(last[last.length - 1]!) < key) {
      if (last === undefined || last.length === CHUNK) chunks.push([item]);
      else last.push(item);
      return;
    }
    const at = this.#chunkOf(key);
    const chunk = chunks[at]!;
    chunk.splice(this.#within(chunk, key), 0, item);
    if (chunk.length > CHUNK) chunks.splice(at + 1, 0, chunk.splice(CHUNK / 2));
  }

  /** The item must be inside. */
  remove(item: T): void {
    const key = this.#key(item);
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    const place = chunk === undefined ? 0 : this.#within(chunk, key);
    if (chunk === undefined || chunk[place] !== item) throw new Error("The item is not in this list.");
    this.#length--;
    if (place === 0) chunk.shift();
    else if (place === chunk.length - 1) chunk.pop();
    else chunk.splice(place, 1);
    if (chunk.length < CHUNK / 4) this.#shrink(at, chunk);
  }

  /** From the last item that is `within`, downwards. `within` holds for all up to some item, and for none after. */
  *descending(within: (item: T) => boolean): Generator<T, undefined> {
    const chunks = this.#chunks;
    let at = partition(chunks, (chunk) => within(chunk[0]!)) - 1;
    let place = at < 0 ? 0 : partition(chunks[at]!, within);
    for (; at >= 0; place = chunks[--at]?.length ?? 0) {
      while (place > 0) yield chunks[at]![--place]!;
    }
  }

  /** The first chunk that reaches up to the key. */
  #chunkOf(key: number): number {
    return partition(this.#chunks, (chunk) => this.#key(chunk[chunk.length - 1]!) < key);
  }

  #within(chunk: T[], key: number): number {
    return partition(chunk, (item) => this.#key(item) < key);
  }

  /** So that a list which had many items does not keep a chunk for each of the few that remain. */
  #shrink(at: number, chunk: T[]): void {
    const next = this.#chunks[at + 1];
    if (chunk.length === 0) this.#chunks.splice(at, 1);
    else if (next !== undefined && chunk.length + next.length <= CHUNK / 2) {
      this.#chunks.splice(at, 2, chunk.concat(next));
    }
  }
}

/** How many items come before the first that fails the test, where all that pass it come first. */
function partition<T>(items: readonly T[], passes: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (passes(items[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}
