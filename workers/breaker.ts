/**
 * Holds a type back whose runners die one after the other, or whose task file does not load. A single bad task
 * never trips it: its third crash is its last, and any run that comes back closes it.
 */
export class Breaker {
  #strikes = 0;
  #until = 0;
  /** Why the type is held back, or was when it last tried. */
  reason: string | undefined;
  /** The task file or its `setup` does not load, so it is the type that is broken and not its tasks. */
  broken = false;

  /** Strikes that are free; what follows waits 200 ms, 400 ms … 30 s. */
  static readonly FREE = 5;

  open(now: number): boolean {
    return now < this.#until;
  }

  /** It has been held back, and nothing has come back since. */
  get doubtful(): boolean {
    return this.#strikes > Breaker.FREE;
  }

  /** Milliseconds until it lets one through again. */
  remaining(now: number): number {
    return Math.max(0, this.#until - now);
  }

  strike(reason: string, now: number): void {
    this.reason = reason;
    const over = ++this.#strikes - Breaker.FREE;
    if (over > 0) this.#until = now + Math.min(30_000, 100 * 2 ** Math.min(over, 20));
  }

  /** No use in trying again soon: the file will not load any better. */
  unloadable(reason: string, now: number): void {
    this.broken = true;
    this.#strikes = Math.max(this.#strikes, Breaker.FREE + 3);
    this.strike(reason, now);
  }

  reset(): void {
    this.#strikes = 0;
    this.#until = 0;
    this.reason = undefined;
    this.broken = false;
  }
}
