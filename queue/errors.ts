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

/** The verb does not fit the task's status: `finished` says which way. */
export class WrongStatus extends Error {
  override name = "WrongStatus";
  constructor(readonly finished: boolean) {
    super(finished ? "The task has already finished." : "The task has not finished.");
  }
}
