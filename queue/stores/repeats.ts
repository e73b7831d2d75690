import { IdempotencyReused } from "../errors.ts";
import type { Enqueued, Idempotency } from "../store.ts";
import { IdMap } from "./id_map.ts";

/** An answer, as much of it as has to be remembered. */
export type Made = Pick<Enqueued, "existing" | "batch"> & { readonly id: string };

interface Repeat {
  readonly name: string;
  readonly fingerprint: string;
  readonly until: number;
  readonly made: readonly Made[];
}

/** What was answered under the idempotency keys of all owners, as far back as `limit` answers. */
export class Repeats {
  readonly #byName = new IdMap<Repeat>(({ name }) => name);
  /** In the order of their use; those before `#first` are forgotten. */
  #order: Repeat[] = [];
  #first = 0;
  #answers = 0;

  constructor(readonly limit: number) {}

  /** @throws {IdempotencyReused} */
  find(owner: string, { key, fingerprint }: Idempotency, now: number): readonly Made[] | undefined {
    const repeat = this.#byName.get(nameOf(owner, key));
    if (repeat === undefined || repeat.until <= now) return undefined;
    if (repeat.fingerprint !== fingerprint) throw new IdempotencyReused();
    return repeat.made;
  }

  /** Of a key that is not known. */
  add(owner: string, { key, fingerprint, until }: Idempotency, made: readonly Made[], now: number): void {
    const repeat = { name: nameOf(owner, key), fingerprint, until, made };
    // Its time may have passed without anybody having noticed.
    this.#byName.delete(repeat.name);
    this.#byName.add(repeat);
    this.#order.push(repeat);
    this.#answers += made.length;
    for (let oldest = this.#order[this.#first]!; oldest !== repeat; oldest = this.#order[this.#first]!) {
      if (oldest.until > now && this.#answers <= this.limit) break;
      this.#forget(oldest);
    }
  }

  #forget(oldest: Repeat): void {
    this.#answers -= oldest.made.length;
    if (this.#byName.get(oldest.name) === oldest) this.#byName.delete(oldest.name);
    this.#first++;
    if (this.#first * 2 < this.#order.length) return;
    this.#order = this.#order.slice(this.#first);
    this.#first = 0;
  }
}

/** The length keeps apart what owner and key joined could mistake for each other. */
function nameOf(owner: string, key: string): string {
  return `${owner.length}:${owner}${key}`;
}
