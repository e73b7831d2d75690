/** How much a key may ask for: requests, by a token bucket, and streams at the same time. */
import type { Caller } from "./admit.ts";
import { Problem } from "./problem.ts";

export interface Rate {
  /** Requests in a window, all of which may come at once. */
  readonly quota: number;
  /** Seconds. */
  readonly window: number;
}

const WINDOWS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
/** With the longest window it just keeps a bucket's numbers exact. */
const MAX_QUOTA = 100_000_000;

/** `"100/s"`, `"1000/m"`, `"5000/h"` or `"20000/d"`. `undefined` for anything else. */
export function parseRate(text: string): Rate | undefined {
  const [, amount, unit] = /^(\d{1,9})\/([smhd])$/.exec(text) ?? [];
  const quota = Number(amount);
  return unit !== undefined && quota >= 1 && quota <= MAX_QUOTA
    ? { quota, window: WINDOWS[unit]! }
    : undefined;
}

/**
 * Holds the quota at first, gives one token to each request, and is refilled evenly, a quota a window. So over any
 * time a client gets at most its quota and what was refilled meanwhile, and a quiet one may be quick for a while.
 */
export class Bucket {
  readonly #rate: Rate;
  /** In units so small that a millisecond brings `quota` of them: all that is counted stays whole. */
  readonly #token: number;
  /** Units as of `#at`. */
  #level: number;
  #at: number;

  /** @param now whole milliseconds, of the same clock as in `take` */
  constructor(rate: Rate, now: number) {
    this.#rate = rate;
    this.#token = rate.window * 1000;
    this.#level = this.#full;
    this.#at = now;
  }

  get #full(): number {
    return this.#rate.quota * this.#token;
  }

  /** A token for a request; `false` where there is none. A clock that was set back refills nothing. */
  take(now: number): boolean {
    const passed = Math.max(0, now - this.#at);
    this.#level = Math.min(this.#full, this.#level + passed * this.#rate.quota);
    this.#at = now;
    if (this.#level < this.#token) return false;
    this.#level -= this.#token;
    return true;
  }

  /** Whole tokens that are left, as of the last `take`. */
  get left(): number {
    return Math.floor(this.#level / this.#token);
  }

  /** Whole seconds from the last `take` until there is one token more than are `left`; 1 at least. */
  get wait(): number {
    const missing = (this.left + 1) * this.#token - this.#level;
    return Math.ceil(missing / this.#rate.quota / 1000);
  }

  /**
   * `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4: the quota and
   * its window, and what is left of it for the next `t` seconds.
   */
  get headers(): [name: string, value: string][] {
    const { quota, window } = this.#rate;
    return [
      ["ratelimit-policy", `"default";q=${quota};w=${window}`],
      ["ratelimit", `"default";r=${this.left};t=${this.wait}`],
    ];
  }
}

/** A 429. @param wait seconds after which it is worth another try */
export function rateLimited(detail: string, wait: number): Problem {
  return new Problem("rate-limited", detail, { headers: { "retry-after": String(wait) } });
}

/** Seconds after which another stream may have ended. */
const STREAM_WAIT = 5;

/** How many streams each key has open. A caller without a key has no bound here. */
export class Streams {
  /** Just those that have any. */
  readonly #open = new Map<string, number>();

  /** @param limit streams that a key may have open at the same time */
  constructor(readonly limit: number) {}

  /**
   * Counts one more stream.
   *
   * @returns to be called when it has ended; calling it again changes nothing
   * @throws {Problem} `rate-limited` where the key has as many open as it may
   */
  take({ keyId }: Pick<Caller, "keyId">): () => void {
    if (keyId === "") return () => {};
    const open = this.#open.get(keyId) ?? 0;
    if (open >= this.limit) {
      throw rateLimited(`A key may have ${this.limit} streams open at the same time.`, STREAM_WAIT);
    }
    this.#open.set(keyId, open + 1);
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      this.#close(keyId);
    };
  }

  #close(keyId: string): void {
    const left = this.#open.get(keyId)! - 1;
    if (left === 0) this.#open.delete(keyId);
    else this.#open.set(keyId, left);
  }
}
