import { parse } from "css-what";
import { z } from "zod";
import { crawl, scraped, skipped } from "./lib/scrape/crawl.ts";
import { pagesIn } from "./lib/scrape/sitemap.ts";
import { Visitor } from "./lib/scrape/visitor.ts";
import { defineTask, target } from "./mod.ts";

const PAGES_MAX = 200;
const SELECTIONS_MAX = 50;
/** Parts of a selector: each multiplies the work. */
const PARTS_MAX = 30;

const selector = z.string().min(1).max(500).superRefine((text, { addIssue }) => {
  const issue = (message: string) => addIssue({ code: "custom", message });
  try {
    if (parse(text).flat().length > PARTS_MAX) issue(`must have ${PARTS_MAX} parts at most`);
  } catch {
    issue("must be a CSS selector");
  }
});

const selection = z.strictObject({
  selector,
  /** In place of the text. URLs are made absolute; those of other schemes than http, https, mailto and tel are left out. */
  attribute: z.string().regex(/^[a-z_:][\w:.-]{0,99}$/i, "must be the name of an attribute")
    .transform((name) => name.toLowerCase()).optional(),
  /** A list of all that it finds, 1,000 at most, in place of the first. */
  all: z.boolean().default(false),
});

export default defineTask({
  description: "Takes data, articles and links out of web pages, as far as their robots.txt lets it.",
  input: z.strictObject({
    urls: z.array(target).min(1).max(PAGES_MAX).optional(),
    /** In place of `urls`: the pages that it names; XML, packed or not, or an index of such. */
    sitemap: target.optional(),
    select: z.record(z.string().regex(/^[A-Za-z]\w{0,63}$/, "must be a name such as price"), selection)
      .default({})
      .refine((all) => Object.keys(all).length <= SELECTIONS_MAX, `must be ${SELECTIONS_MAX} at most`),
    /** Whether to find the text that a page is there for. */
    article: z.boolean().default(false),
    /** Whether to list what a page links to, 500 at most. */
    links: z.boolean().default(false),
    /** Goes on to what these elements link to. */
    follow: z.strictObject({
      selector,
      depth: z.int().min(1).max(3).default(1),
      sameOrigin: z.boolean().default(true),
    }).optional(),
    maxPages: z.int().min(1).max(PAGES_MAX).default(100),
    /** Pages at once. */
    concurrency: z.int().min(1).max(8).default(4),
    /** Of one host. */
    perHost: z.int().min(1).max(4).default(1),
  }).refine(({ urls, sitemap }) => (urls === undefined) !== (sitemap === undefined), {
    path: ["urls"],
    message: "must be given, or sitemap in its place",
  }).refine(({ urls = [], maxPages }) => urls.length <= maxPages, {
    path: ["maxPages"],
    message: "must not be less than there are urls",
  }).meta({
    examples: [{ urls: ["https://example.com/"], select: { title: { selector: "h1" } } }],
  }),
  result: z.strictObject({ pages: z.array(scraped), skipped: z.array(skipped) }),
  permissions: { net: true, env: ["SCRAPE_CONTACT"] },
  // All in one worker, which keeps the sites' crawl delays.
  concurrency: 8,
  tasksPerWorker: 8,
  memory: 1_024,
  timeout: "10m",
  maxAttempts: 3,
  async run({ urls, sitemap, ...plan }, context) {
    const visitor = new Visitor(context.signal, Deno.env.get("SCRAPE_CONTACT"));
    const seeds = urls ?? await pagesIn(sitemap!, plan.maxPages, visitor);
    return await crawl(seeds, plan, visitor, context);
  },
});
