import { z } from "zod";
import type { Checkpoint } from "../checkpoint.ts";

/** How often a recipient is tried that the server puts off. */
const TRIES = 3;
/** Recipients that are named. */
export const REJECTED_MAX = 500;

const place = z.int().min(0);
const entries = z.object({
  /** All before it have been taken up. */
  next: place,
  /** On their way. */
  begun: z.array(place),
  /** That are to be sent, though they are before `next`, and how often they have been tried. */
  again: z.array(z.tuple([place, z.int()])),
  sent: z.int(),
  refused: z.int(),
  rejected: z.array(z.tuple([place, z.int()])),
  repeated: z.array(place),
  unknown: z.array(place),
});

/**
 * What became of each recipient, in all attempts. A mail leaves only when the checkpoint says that it is on its way;
 * so whoever comes after a crash knows all that may have left.
 */
export class Ledger {
  /** That accepted it. */
  sent: number;
  /** That did not; `rejected` names the first of them. */
  refused: number;
  /** By place, with the server's code. */
  readonly rejected: Map<number, number>;
  /** They were on their way when an attempt died, and were sent once more. */
  readonly repeated: Set<number>;
  /** Nobody knows whether they have it. */
  readonly unknown: Set<number>;
  /** Tries, of those that are to be sent once more. */
  readonly #again: Map<number, number>;
  readonly #begun = new Set<number>();
  /** Taken up, and not yet on their way. */
  readonly #waiting = new Map<number, number>();
  #next: number;

  constructor(readonly checkpoint: Checkpoint) {
    const last = entries.safeParse(checkpoint.last).data;
    this.sent = last?.sent ?? 0;
    this.refused = last?.refused ?? 0;
    this.rejected = new Map(last?.rejected);
    this.repeated = new Set(last?.repeated);
    this.unknown = new Set(last?.unknown);
    this.#again = new Map(last?.again);
    this.#next = last?.next ?? 0;
    for (const place of last?.begun ?? []) {
      // Twice is as often as anybody gets it.
      if (this.repeated.has(place)) this.unknown.add(place);
      else this.#again.set(place, 0);
      this.repeated.add(place);
    }
    for (const place of this.unknown) this.repeated.delete(place);
  }

  /** How many have been settled. */
  get done(): number {
    return this.sent + this.refused + this.unknown.size;
  }

  /** How many are put off. */
  get putOff(): number {
    return this.#again.size;
  }

  /** Whether it is still to be sent; then it is taken up. In the order of places. */
  take(place: number): boolean {
    const tries = place < this.#next ? this.#again.get(place) : 0;
    this.#next = Math.max(this.#next, place + 1);
    if (tries === undefined) return false;
    this.#again.delete(place);
    this.#waiting.set(place, tries);
    return true;
  }

  /** Before it leaves. Answers how often it has been tried. */
  async begin(place: number): Promise<number> {
    const tries = this.#waiting.get(place)!;
    this.#waiting.delete(place);
    this.#begun.add(place);
    await this.save();
    return tries;
  }

  accept(place: number): void {
    this.#begun.delete(place);
    this.sent++;
  }

  reject(place: number, smtpCode: number): void {
    this.#begun.delete(place);
    this.refused++;
    if (this.rejected.size < REJECTED_MAX) this.rejected.set(place, smtpCode);
  }

  /** It may have arrived, and is not sent again by guess. */
  lose(place: number): void {
    this.#begun.delete(place);
    this.repeated.delete(place);
    this.unknown.add(place);
  }

  /** It certainly has not arrived. */
  reopen(place: number, tries: number): void {
    this.#begun.delete(place);
    this.#again.set(place, tries);
  }

  /** The server wants it later; answers whether it is worth another try. */
  postpone(place: number, tries: number, smtpCode: number): boolean {
    const worth = tries + 1 < TRIES;
    if (worth) this.reopen(place, tries + 1);
    else this.reject(place, smtpCode);
    return worth;
  }

  save(): Promise<void> {
    return this.checkpoint.save({
      next: this.#next,
      begun: [...this.#begun],
      again: [...this.#again, ...this.#waiting],
      sent: this.sent,
      refused: this.refused,
      rejected: [...this.rejected],
      repeated: [...this.repeated],
      unknown: [...this.unknown],
    });
  }
}
