/**
 * How many different texts there are, in bounded memory: of their hashes it keeps the smallest. While these are all,
 * the count is exact. Later the largest of them tells how densely hashes lie, and so how many there are: K. Beyer et
 * al., "On synopses for distinct-value estimation under multiset operations", SIGMOD 2007, with a standard error of
 * 1/√kept.
 */
export class Distinct {
  readonly #smallest = new Set<number>();
  #below = Infinity;

  /** @param kept hashes at least, once there are more than twice as many */
  constructor(readonly kept: number) {}

  add(text: string): void {
    const hash = hashOf(text);
    if (hash >= this.#below) return;
    this.#smallest.add(hash);
    if (this.#smallest.size > 2 * this.kept) this.#shrink();
  }

  get count(): number {
    if (this.exact) return this.#smallest.size;
    return Math.round(this.#smallest.size / (this.#below / 2 ** 53));
  }

  get exact(): boolean {
    return this.#below === Infinity;
  }

  #shrink(): void {
    const hashes = Float64Array.from(this.#smallest).sort();
    this.#below = hashes[this.kept]!;
    for (const hash of this.#smallest) if (hash >= this.#below) this.#smallest.delete(hash);
  }
}

/** 53 bits, evenly spread: cyrb53, two multiplicative hashes that are mixed in the end. */
function hashOf(text: string): number {
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 2_654_435_761);
    b = Math.imul(b ^ unit, 1_597_334_677);
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909);
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909);
  return 2 ** 32 * (b & 0x1fffff) + (a >>> 0);
}
