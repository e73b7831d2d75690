import { TaskFailure } from "../failure.ts";
import { guardedFetch } from "../egress/fetch.ts";

/** The name that `robots.txt` files may address, and the first word of the `User-Agent`. */
export const ROBOT = "errand";
/** What must be read: RFC 9309, section 2.5. */
const ROBOTS_MAX = 500 * 1024;
const TIMEOUT = 15_000;

/** What a site lets robots do. */
export interface Rules {
  allows(url: string): boolean;
  /** Milliseconds between two requests. */
  readonly delay: number;
}

const ANYTHING: Rules = { allows: () => true, delay: 0 };

/** The rules of sites, asked for once each: RFC 9309. */
export class Robots {
  readonly #rules = new Map<string, Promise<Rules>>();

  constructor(readonly headers: Record<string, string>, readonly signal: AbortSignal) {}

  /** @throws {TaskFailure} `robots_unreachable` where nobody can say: then nothing is allowed, section 2.3.1.4 */
  of({ origin }: URL): Promise<Rules> {
    let rules = this.#rules.get(origin);
    if (!rules) this.#rules.set(origin, rules = this.#ask(`${origin}/robots.txt`));
    return rules;
  }

  async #ask(url: string): Promise<Rules> {
    const { host } = new URL(url);
    const module = await import("robots-parser");
    // Its types say that it is an ES module, which it is not.
    const parse = module.default as unknown as typeof module.default.default;
    try {
      const { headers, signal } = this;
      const answer = await guardedFetch(url, { headers, signal, timeout: TIMEOUT, maxBytes: Infinity });
      const { status } = answer;
      if (status >= 200 && status < 300) {
        const robots = parse(url, await beginning(answer.body));
        const seconds = robots.getCrawlDelay(ROBOT) ?? 0;
        return {
          allows: (url) => robots.isAllowed(url, ROBOT) ?? true,
          delay: seconds > 0 ? seconds * 1_000 : 0,
        };
      }
      await answer.body.cancel();
      // "Unavailable": section 2.3.1.3. Too many requests is no such thing.
      if (status < 500 && status !== 429) return ANYTHING;
      throw unreachable(host);
    } catch (error) {
      this.signal.throwIfAborted();
      if (!(error instanceof TaskFailure) || error.code === "egress_blocked") throw error;
      throw unreachable(host, error);
    }
  }
}

function unreachable(host: string, cause?: TaskFailure): TaskFailure {
  return new TaskFailure("robots_unreachable", `${host} does not say what robots may do.`, {
    // An address that does not exist will not tomorrow, as a rule, but it may.
    retryable: cause?.retryable ?? true,
    cause,
  });
}

/** Whole lines of it; the rest is not waited for. */
async function beginning(body: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  for await (const piece of body) {
    length += piece.length;
    text += decoder.decode(piece.subarray(0, Math.max(0, piece.length - (length - ROBOTS_MAX))), {
      stream: true,
    });
    if (length > ROBOTS_MAX) return text.slice(0, text.lastIndexOf("\n") + 1);
  }
  return text + decoder.decode();
}
