import { blocked, tooManyRedirects } from "../egress/failures.ts";
import { type Fetched, guardedFetch } from "../egress/fetch.ts";
import { hostOf, targetFlaw } from "../egress/target.ts";
import { TaskFailure } from "../failure.ts";
import { Pace } from "../web/pace.ts";
import { upstreamStatus } from "../web/upstream.ts";
import { ROBOT, Robots } from "./robots.ts";

const TIMEOUT = 30_000;
const REDIRECTS_MAX = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Milliseconds from the beginning of a task after which nothing is begun: a little less than its timeout. */
const BEGIN_WITHIN = 8 * 60_000;

/** Shared by all tasks of this worker, and there is one: two of them do not halve a site's crawl delay. */
const pace = new Pace();

/** Asks for pages as a robot that says who it is, and does what sites let it do. */
export class Visitor {
  readonly #headers: Record<string, string>;
  readonly #robots: Robots;
  readonly #began = performance.now();

  /** @param contact whom a site may turn to */
  constructor(readonly signal: AbortSignal, contact: string | undefined) {
    this.#headers = { "user-agent": contact ? `${ROBOT} (+${contact})` : ROBOT };
    this.#robots = new Robots(this.#headers, signal);
  }

  /**
   * The answer, which is neither a redirect nor an error. Each redirect is a visit of its own.
   *
   * @throws {TaskFailure} `robots_disallowed`, `robots_unreachable`, `out_of_time`, `upstream_status`, and those of
   * `guardedFetch`
   */
  async visit(target: string, accept: string): Promise<Fetched> {
    let url = new URL(target);
    for (let redirects = 0;; redirects++) {
      const { host } = url;
      // Before its site is asked: what is no URL of the web has none.
      const flaw = targetFlaw(url);
      if (flaw) throw blocked(hostOf(url), flaw);
      const rules = await this.#robots.of(url);
      if (!rules.allows(url.href)) {
        throw new TaskFailure("robots_disallowed", `${host} asks robots to stay away.`);
      }
      if (performance.now() - this.#began + pace.waitFor(host) > BEGIN_WITHIN) {
        throw new TaskFailure(
          "out_of_time",
          `${host} was not asked: its crawl delay, or the task, is too long.`,
        );
      }
      await pace.turn(host, rules.delay, this.signal);
      const answer = await guardedFetch(url, {
        headers: { ...this.#headers, accept },
        signal: this.signal,
        timeout: TIMEOUT,
        // Who reads it says when it is enough.
        maxBytes: Infinity,
        maxRedirects: 0,
      });
      const location = REDIRECTS.has(answer.status) ? answer.headers.get("location") : null;
      if (location === null && answer.status < 400) return answer;
      await answer.body.cancel();
      if (location === null) throw upstreamStatus(host, answer.status, answer.headers);
      if (redirects === REDIRECTS_MAX) throw tooManyRedirects(host, REDIRECTS_MAX);
      const next = URL.parse(location, url);
      if (!next) throw blocked(host, "redirects to what is no URL");
      url = next;
    }
  }
}
