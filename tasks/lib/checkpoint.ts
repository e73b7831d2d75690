/** Characters of JSON that one may have. */
export const CHECKPOINT_MAX = 256 * 1024;

/**
 * What an attempt leaves to the next one of its task: how far it has come. For work that must not be done twice, or
 * would be a pity to do again. It is gone when the task has ended, and nobody but the handler sees it.
 */
export interface Checkpoint {
  /** What was saved last, by whichever attempt before this one; `undefined` where nothing was. */
  readonly last: unknown;
  /**
   * Keeps a JSON value, of 256 KiB at most, in place of the last. Resolves when it is kept as safely as the task
   * itself: where this attempt dies afterwards, the next one is given it.
   *
   * @throws {TaskFailure} `checkpoint_not_kept`, retryable, where it is not: this attempt is no longer the task's
   * @throws {TypeError} for what is no JSON, or too much
   */
  save(value: unknown): Promise<void>;
}
