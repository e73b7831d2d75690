import { z } from "zod";
import type { TaskContext } from "../define.ts";
import { TaskFailure } from "../failure.ts";
import { decodePage } from "../web/charset.ts";
import { Lanes } from "../web/lanes.ts";
import { Room } from "../web/room.ts";
import { article, articleReader } from "./article.ts";
import { type Page, pageReader, type Selection } from "./page.ts";
import type { Visitor } from "./visitor.ts";

/** Bytes of a page. */
const PAGE_MAX = 3 * 2 ** 20;
/** Characters of all pages in the result, which may have 1 MiB unless `RESULT_MAX` says otherwise. */
const PAGES_MAX = 500_000;
const ACCEPT = "text/html, application/xhtml+xml";
/** The request's own fault, not a page's. */
const OURS = "invalid_input";

export const scraped = z.strictObject({
  /** Where redirects led. */
  url: z.string(),
  status: z.int(),
  /** What was found, by name. */
  data: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  article: article.optional(),
  links: z.array(z.string()).optional(),
});
export type Scraped = z.output<typeof scraped>;

export const skipped = z.strictObject({
  url: z.string(),
  /** A failure's code. */
  reason: z.string(),
  message: z.string(),
});
export type Skipped = z.output<typeof skipped>;

export interface Plan {
  readonly select: Readonly<Record<string, Selection>>;
  readonly article: boolean;
  readonly links: boolean;
  readonly follow?: { selector: string; depth: number; sameOrigin: boolean } | undefined;
  readonly maxPages: number;
  readonly concurrency: number;
  readonly perHost: number;
}

/** What came of one URL. */
interface Found {
  readonly page?: Scraped;
  readonly skip?: Skipped;
  readonly failure?: TaskFailure;
  readonly next: readonly string[];
}

/**
 * Reads pages, and those that they link to, level by level.
 *
 * @throws {TaskFailure} where no page could be read, and another attempt may change that
 */
export async function crawl(
  seeds: readonly string[],
  plan: Plan,
  visitor: Visitor,
  { signal, log, progress }: Pick<TaskContext, "signal" | "log" | "progress">,
): Promise<{ pages: Scraped[]; skipped: Skipped[] }> {
  const [readPage, readArticle] = await Promise.all([
    pageReader(),
    plan.article ? articleReader() : undefined,
  ]);
  const lanes = new Lanes(plan.concurrency, plan.perHost);
  const room = new Room(PAGE_MAX, PAGES_MAX);
  const known = new Set<string>();
  const all: Found[] = [];
  let [total, done] = [0, 0];

  async function scrape(url: string, depth: number): Promise<Found> {
    try {
      signal.throwIfAborted();
      const answer = await visitor.visit(url, ACCEPT);
      const { host } = new URL(answer.url);
      const contentType = answer.headers.get("content-type");
      if (!isPage(contentType)) {
        await answer.body.cancel();
        throw new TaskFailure("unsupported_format", `${host} answered with what is no page.`);
      }
      const html = decodePage(await room.read(answer.body, host), contentType);
      const page = readPage(html, answer.url);
      known.add(answer.url);
      const taken: Scraped = {
        url: answer.url,
        status: answer.status,
        data: Object.fromEntries(
          Object.entries(plan.select).flatMap(([name, selection]) => {
            const value = page.value(selection);
            return value === undefined ? [] : [[name, value]];
          }),
        ),
        ...(readArticle && articleOf(html, page)),
        ...(plan.links && { links: page.links().map(({ url }) => url.href) }),
      };
      return { page: room.keep(taken), next: linked(page, depth, new URL(answer.url).origin) };
    } catch (failure) {
      signal.throwIfAborted();
      if (!(failure instanceof TaskFailure) || failure.code === OURS) throw failure;
      log.info(`Skipped a page of ${new URL(url).host}: ${failure.message}`);
      return { skip: { url, reason: failure.code, message: failure.message }, failure, next: [] };
    } finally {
      progress(++done, total);
    }
  }

  function articleOf(html: string, page: Page): Pick<Scraped, "article"> {
    try {
      const article = readArticle?.(html, page);
      return article ? { article } : {};
    } catch {
      // The library stumbles over some pages; the rest of them is worth having.
      return {};
    }
  }

  function linked(page: Page, depth: number, origin: string): string[] {
    const { follow } = plan;
    if (!follow || depth >= follow.depth) return [];
    return page.links(follow.selector)
      .filter(({ url, nofollow }) => !nofollow && (url.origin === origin || !follow.sameOrigin))
      .map(({ url }) => url.href)
      .slice(0, plan.maxPages);
  }

  for (let [level, depth] = [seeds, 0]; level.length > 0; depth++) {
    const fresh = [...new Set(level.map(withoutHash))].filter((url) => !known.has(url));
    const taken = fresh.slice(0, plan.maxPages - total);
    if (taken.length < fresh.length) {
      log.warn(`${fresh.length - taken.length} pages beyond maxPages are left out.`);
    }
    for (const url of taken) known.add(url);
    total += taken.length;
    const found = await Promise.all(
      taken.map((url) => lanes.run(new URL(url).host, () => scrape(url, depth))),
    );
    all.push(...found);
    level = found.flatMap(({ next }) => next);
  }
  const pages = all.flatMap(({ page }) => page ?? []);
  const failures = all.flatMap(({ failure }) => failure ?? []);
  if (pages.length === 0 && failures.length > 0 && failures.every(({ retryable }) => retryable)) {
    throw failures.toSorted((a, b) => (b.retryAfter ?? 0) - (a.retryAfter ?? 0))[0];
  }
  return { pages, skipped: all.flatMap(({ skip }) => skip ?? []) };
}

function isPage(contentType: string | null): boolean {
  return contentType === null || /^\s*(?:text\/html|application\/xhtml\+xml)\s*(?:;|$)/i.test(contentType);
}

function withoutHash(url: string): string {
  const plain = new URL(url);
  plain.hash = "";
  return plain.href;
}
