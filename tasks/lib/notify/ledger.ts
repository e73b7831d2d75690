import { z } from "zod";
import type { Checkpoint } from "../checkpoint.ts";
import type { TaskFailure } from "../failure.ts";

export const failed = z.strictObject({
  /** Which entry of `to`. */
  to: z.int(),
  channel: z.string(),
  code: z.string(),
  message: z.string(),
  /** Of `upstream_status`. */
  status: z.int().optional(),
});
export type Failed = z.output<typeof failed>;

const entries = z.object({
  at: z.number(),
  begun: z.array(z.int()),
  delivered: z.array(z.int()),
  failed: z.array(failed),
});

/** What became of each channel, in all attempts: what was delivered is not delivered again. */
export class Ledger {
  /** When the first attempt began: the same in every message of the task. */
  readonly at: number;
  readonly delivered: Set<number>;
  readonly failed: Map<number, Failed>;
  /** Without an end; from an earlier attempt they are those of which it could not say how they ended. */
  readonly #begun: Set<number>;

  constructor(readonly checkpoint: Checkpoint) {
    const last = entries.safeParse(checkpoint.last).data ??
      { at: Date.now(), begun: [], delivered: [], failed: [] };
    this.at = last.at;
    this.#begun = new Set(last.begun);
    this.delivered = new Set(last.delivered);
    this.failed = new Map(last.failed.map((each) => [each.to, each]));
  }

  isUnknown(to: number): boolean {
    return this.#begun.has(to);
  }

  isOpen(to: number): boolean {
    return !this.delivered.has(to) && !this.failed.has(to);
  }

  /** Before anything is sent; without this, nothing is. */
  async begin(all: readonly number[]): Promise<void> {
    if (all.length === 0) return;
    for (const to of all) this.#begun.add(to);
    await this.#save();
  }

  async succeed(to: number): Promise<void> {
    this.#begun.delete(to);
    this.delivered.add(to);
    await this.#save();
  }

  async fail(to: number, channel: string, { code, message, details }: TaskFailure): Promise<void> {
    const { status } = details ?? {};
    this.#begun.delete(to);
    this.failed.set(to, { to, channel, code, message, ...(typeof status === "number" && { status }) });
    await this.#save();
  }

  /** It certainly was not delivered, and may be later. */
  async reopen(to: number): Promise<void> {
    this.#begun.delete(to);
    await this.#save();
  }

  #save(): Promise<void> {
    return this.checkpoint.save({
      at: this.at,
      begun: [...this.#begun],
      delivered: [...this.delivered],
      failed: [...this.failed.values()],
    });
  }
}
