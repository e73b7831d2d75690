import { type Checkpoint, CHECKPOINT_MAX, TaskFailure } from "../tasks/mod.ts";
import { toJson } from "./json.ts";

type Waiting = PromiseWithResolvers<void>;

/** Inside the thread wall: the checkpoint of one run, as its handler sees it. */
export class HandlerCheckpoint implements Checkpoint {
  readonly last: unknown;
  /** Who waits for the one that is on its way. */
  #sent: Waiting[] | undefined;
  /** The one that goes out next: one at a time, and what is overtaken need not. */
  #next: { text: string; waiting: Waiting[] } | undefined;

  /** @param send hands one over; `kept` follows */
  constructor(last: string | undefined, readonly send: (checkpoint: string) => void) {
    this.last = last === undefined ? undefined : JSON.parse(last);
  }

  async save(value: unknown): Promise<void> {
    const text = toJson(value);
    if (text === "" || text.length > CHECKPOINT_MAX) {
      throw new TypeError(`A checkpoint is a JSON value of ${CHECKPOINT_MAX} characters at most.`);
    }
    const waiting = Promise.withResolvers<void>();
    this.#next = { text, waiting: [...this.#next?.waiting ?? [], waiting] };
    if (!this.#sent) this.#sendNext();
    await waiting.promise;
  }

  kept(kept: boolean): void {
    const sent = this.#sent ?? [];
    this.#sent = undefined;
    this.#sendNext();
    for (const { resolve, reject } of sent) kept ? resolve() : reject(notKept());
  }

  #sendNext(): void {
    if (!this.#next) return;
    const { text, waiting } = this.#next;
    this.#next = undefined;
    this.#sent = waiting;
    this.send(text);
  }
}

function notKept(): TaskFailure {
  return new TaskFailure("checkpoint_not_kept", "How far the task has come could not be kept.", {
    retryable: true,
  });
}
