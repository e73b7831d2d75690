import { z } from "zod";
import type { Page } from "./page.ts";

const TEXT_MAX = 200_000;
const LINE_MAX = 1_000;
/** Looking for the article takes more than linear time: 1.6 s for so many links, 0.1 s at such a depth. */
const ELEMENTS_MAX = 20_000;
const DEPTH_MAX = 200;
/** Between two of these a reader sees the end of a line, though nothing may stand between them in the page. */
const BLOCKS =
  "p, div, section, h1, h2, h3, h4, h5, h6, ul, ol, li, dt, dd, blockquote, pre, figure, figcaption, " +
  "table, tr, td, th, br, hr";

/** Text throughout. */
export const article = z.strictObject({
  title: z.string().optional(),
  byline: z.string().optional(),
  siteName: z.string().optional(),
  publishedTime: z.string().optional(),
  lang: z.string().optional(),
  excerpt: z.string().optional(),
  text: z.string(),
});
export type Article = z.output<typeof article>;

/** Finds what a page is there for, as a browser's reader view does; `undefined` where there is nothing of the kind. */
export async function articleReader() {
  const [{ parseHTML }, { Readability }] = await Promise.all([
    import("linkedom"),
    import("@mozilla/readability"),
  ]);
  return (html: string, page: Page): Article | undefined => {
    if (page.elements > ELEMENTS_MAX || page.depth > DEPTH_MAX) return undefined;
    // HTML lets a page leave these out; the parser does not put them in, and the library needs them.
    const whole = page.has("html > body") ? html : `<html><head></head><body>${html}</body></html>`;
    // Its types are those of browsers, where `document` is not what a parsed page has.
    const { document } = parseHTML(whole) as unknown as {
      document: ConstructorParameters<typeof Readability>[0];
    };
    for (const block of document.querySelectorAll(BLOCKS)) {
      block.before("\n");
      block.after("\n");
    }
    const about = new Readability(document).parse();
    const text = about?.textContent?.replace(/[^\S\n]+/g, " ").replace(/ ?\n\s*/g, "\n").trim();
    if (!about || !text) return undefined;
    const { byline, siteName, publishedTime, lang, excerpt } = about;
    const title = about.title || page.value({ selector: "title", all: false })?.toString();
    const lines = Object.entries({ title, byline, siteName, publishedTime, lang, excerpt }).flatMap(
      ([key, value]) => {
        const line = value?.replace(/\s+/g, " ").trim().slice(0, LINE_MAX);
        return line ? [[key, line]] : [];
      },
    );
    return { ...Object.fromEntries(lines), text: text.slice(0, TEXT_MAX) };
  };
}
