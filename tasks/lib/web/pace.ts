/** Hosts that are remembered at most, beyond those that are being waited for. */
const REMEMBERED = 1_000;

/** Keeps requests to one host apart. */
export class Pace {
  /** When the next request may go out, by host. */
  readonly #next = new Map<string, number>();

  constructor(readonly now: () => number = () => performance.now()) {}

  /** Milliseconds until it would be this one's turn. */
  waitFor(host: string): number {
    return Math.max(0, (this.#next.get(host) ?? 0) - this.now());
  }

  /**
   * Waits for its turn; the next one's is `apart` milliseconds later.
   *
   * @throws the signal's reason
   */
  async turn(host: string, apart: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const wait = this.waitFor(host);
    if (apart > 0) this.#keep(host, this.now() + wait + apart);
    if (wait > 0) await pause(wait, signal);
  }

  #keep(host: string, until: number): void {
    this.#next.set(host, until);
    if (this.#next.size <= REMEMBERED) return;
    const now = this.now();
    for (const [host, until] of this.#next) if (until <= now) this.#next.delete(host);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}
