/** The few errors of the queue that a caller catches. */

/** The bound by count or by bytes is reached: nothing of the call was accepted. */
export class QueueFull extends Error {
  override name = "QueueFull";
  /** @param retryAfter seconds after which a place may be free */
  constructor(readonly retryAfter: number) {
    super("The queue is full.");
  }
}

/** A task with this id exists and says something else. */
export class IdConflict extends Error {
  override name = "IdConflict";
  /** @param index which of the tasks of the call */
  constructor(readonly id: string, readonly index: number) {
    super(`A different task with the id ${id} exists.`);
  }
}

/** The key was used for another request. */
export class IdempotencyReused extends Error {
  override name = "IdempotencyReused";
  constructor() {
    super("The idempotency key was used for another request.");
  }
}

/** A task that the idempotency key has made is known no longer: it can neither be answered nor made again. */
export class IdempotencyGone extends Error {
  override name = "IdempotencyGone";
  constructor() {
    super("What was made under the idempotency key is gone.");
  }
}

/** A task has the unique key, and newer ones are to be rejected. */
export class UniqueConflict extends Error {
  override name = "UniqueConflict";
  /**
   * @param id of the task that has it
   * @param index which of the tasks of the call wanted it
   */
  constructor(readonly id: string, readonly index: number) {
    super(`The task ${id} has the unique key.`);
  }
}

/** The verb does not fit the task's status: `finished` says which way. */
export class WrongStatus extends Error {
  override name = "WrongStatus";
  constructor(readonly finished: boolean) {
    super(finished ? "The task has already finished." : "The task has not finished.");
  }
}
