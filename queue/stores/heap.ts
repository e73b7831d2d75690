/** An item of a heap remembers its place there, so that it can be taken out of the middle; -1 in no heap. */
export interface Indexed {
  index: number;
}

/**
 * A binary heap: the first by `before` is always at hand, and every change costs O(log n). An item is in at most one
 * heap at a time. What `before` looks at must not change while the item is inside, unless it is told by `moved`.
 */
export class Heap<T extends Indexed> {
  #items: T[] = [];
  #before: (a: T, b: T) => boolean;

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before;
  }

  get length(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#up(item, this.#items.length - 1);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  /** The item must be inside. */
  remove(item: T): void {
    const { index } = item;
    if (this.#items[index] !== item) throw new Error("The item is not in this heap.");
    item.index = -1;
    const last = this.#items.pop()!;
    if (last === item) return;
    this.#down(last, index);
    if (last.index === index) this.#up(last, index);
  }

  /** The item, which must be inside, has changed in the order. */
  moved(item: T): void {
    if (this.#items.length === 1) return;
    this.#down(item, item.index);
    this.#up(item, item.index);
  }

  /** Moves the gap at `index` towards the root until `item` may fill it. */
  #up(item: T, index: number): void {
    const items = this.#items;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = items[above]!;
      if (!this.#before(item, parent)) break;
      items[index] = parent;
      parent.index = index;
      index = above;
    }
    items[index] = item;
    item.index = index;
  }

  /** Moves the gap at `index` towards the leaves until `item` may fill it. */
  #down(item: T, index: number): void {
    const items = this.#items;
    const { length } = items;
    for (let below = 2 * index + 1; below < length; below = 2 * index + 1) {
      let child = items[below]!;
      if (below + 1 < length && this.#before(items[below + 1]!, child)) child = items[++below]!;
      if (!this.#before(child, item)) break;
      items[index] = child;
      child.index = index;
      index = below;
    }
    items[index] = item;
    item.index = index;
  }
}
