import { IdempotencyReused } from "../errors.ts";
import type { Enqueued, Idempotency } from "../store.ts";
import { IdMap } from "./id_map.ts";

/** An answer, as much of it as has to be remembered. */
export type Made = Pick<Enqueued, "existing" | "batch"> & { readonly id: string };

interface Repeat {
  readonly key: string;
  readonly fingerprint: string;
  readonly until: number;
  readonly made: readonly Made[];
}

/** What was answered under the idempotency keys of an owner, as far back as `limit` answers. */
export class Repeats {
  readonly #byKey = new IdMap<Repeat>(({ key }) => key);
  /** In the order of their use; those before `#first` are forgotten. */
  #order: Repeat[] = [];
  #first = 0;
  #answers = 0;

  constructor(readonly limit: number) {}

  /** @throws {IdempotencyReused} */
  find({ key, fingerprint }: Idempotency, now: number): readonly Made[] | undefined {
    const repeat = this.#byKey.get(key);
    if (repeat === undefined || repeat.until <= now) return undefined;
    if (repeat.fingerprint !== fingerprint) throw new IdempotencyReused();
    return repeat.made;
  }

  /** Of a key that is not known. */
  add({ key, fingerprint, until }: Idempotency, made: readonly Made[], now: number): void {
    const repeat = { key, fingerprint, until, made };
    // Its time may have passed without anybody having noticed.
    this.#byKey.delete(key);
    this.#byKey.add(repeat);
    this.#order.push(repeat);
    this.#answers += made.length;
    for (let oldest = this.#order[this.#first]!; oldest !== repeat; oldest = this.#order[this.#first]!) {
      if (oldest.until > now && this.#answers <= this.limit) break;
      this.#forget(oldest);
    }
  }

  #forget(oldest: Repeat): void {
    this.#answers -= oldest.made.length;
    if (this.#byKey.get(oldest.key) === oldest) this.#byKey.delete(oldest.key);
    this.#first++;
    if (this.#first * 2 < this.#order.length) return;
    this.#order = this.#order.slice(this.#first);
    this.#first = 0;
  }
}
