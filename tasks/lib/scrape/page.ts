/** A page, parsed. It is only ever read: nothing in it runs, and what is taken from it is text. */
import { TaskFailure } from "../failure.ts";
import { type Element, type Root, textOf } from "./text.ts";

/** Beyond these, looking for something in it takes longer than it may. */
const DEPTH_MAX = 500;
const ELEMENTS_MAX = 200_000;
const VALUE_MAX = 10_000;
const VALUES_MAX = 1_000;
const LINKS_MAX = 500;
const URL_MAX = 2_048;
/** What holds one URL. */
const URL_ATTRIBUTES = new Set([
  "href",
  "src",
  "action",
  "formaction",
  "poster",
  "cite",
  "data",
  "background",
]);
const SCHEMES = new Set(["http:", "https:", "mailto:", "tel:"]);

export interface Selection {
  readonly selector: string;
  readonly attribute?: string | undefined;
  readonly all: boolean;
}

export interface Link {
  readonly url: URL;
  /** Whether the page asks robots not to go there. */
  readonly nofollow: boolean;
}

/** Loads what it takes to read pages. */
export async function pageReader() {
  const [{ DomHandler, Parser }, { selectAll, selectOne }] = await Promise.all([
    import("htmlparser2"),
    import("css-select"),
  ]);

  class Bounded extends DomHandler {
    elements = 0;
    depth = 0;

    override onopentag(name: string, attributes: Record<string, string>): void {
      this.depth = Math.max(this.depth, this.tagStack.length);
      if (this.depth > DEPTH_MAX || ++this.elements > ELEMENTS_MAX) {
        throw new TaskFailure(
          "unsupported_format",
          "The page has more elements, or deeper ones, than are read.",
        );
      }
      super.onopentag(name, attributes);
    }
  }

  /** @throws {TaskFailure} `unsupported_format` */
  return (html: string, url: string): Page => {
    const handler = new Bounded();
    new Parser(handler).end(html);
    return new Page(handler, url, { selectAll, selectOne });
  };
}
export type ReadPage = Awaited<ReturnType<typeof pageReader>>;

interface Select {
  selectAll(selector: string, root: Root): unknown[];
  selectOne(selector: string, root: Root): unknown;
}

export class Page {
  readonly root: Root;
  readonly elements: number;
  readonly depth: number;
  /** What its links are relative to. */
  readonly #base: URL;

  constructor(
    { root, elements, depth }: { root: Root; elements: number; depth: number },
    url: string,
    readonly select: Select,
  ) {
    this.root = root;
    this.elements = elements;
    this.depth = depth;
    const base = this.#one("base[href]")?.attribs.href;
    this.#base = (base === undefined ? null : URL.parse(base, url)) ?? new URL(url);
  }

  has(selector: string): boolean {
    return this.#one(selector) !== undefined;
  }

  /** What the selection finds; `undefined` where that is nothing. */
  value({ selector, attribute, all }: Selection): string | string[] | undefined {
    const read = (element: Element) => {
      const value = attribute === undefined ? textOf(element) : this.#attribute(element, attribute);
      return value?.slice(0, VALUE_MAX);
    };
    if (all) return this.#all(selector).slice(0, VALUES_MAX).flatMap((element) => read(element) ?? []);
    const element = this.#one(selector);
    return element && read(element);
  }

  /** Where it links to over HTTP, each once. */
  links(selector = "a[href], area[href]"): Link[] {
    const links = new Map<string, Link>();
    const closed = this.#all("meta[name][content]").some(({ attribs: { name, content } }) =>
      /^robots$/i.test(name!.trim()) && /\b(?:nofollow|none)\b/i.test(content!)
    );
    for (const { attribs: { href, rel = "" } } of this.#all(selector)) {
      const url = href === undefined ? null : URL.parse(href, this.#base);
      if (!url || !/^https?:$/.test(url.protocol) || url.href.length > URL_MAX) continue;
      url.hash = "";
      links.set(url.href, { url, nofollow: closed || /\bnofollow\b/i.test(rel) });
      if (links.size === LINKS_MAX) break;
    }
    return [...links.values()];
  }

  /** A URL is made absolute; one that is for anything else than going there, such as `javascript:`, is nothing. */
  #attribute({ attribs }: Element, name: string): string | undefined {
    if (!Object.hasOwn(attribs, name)) return undefined;
    const value = attribs[name]!;
    if (!URL_ATTRIBUTES.has(name)) return value;
    const url = URL.parse(value, this.#base);
    return url && SCHEMES.has(url.protocol) ? url.href : undefined;
  }

  #one(selector: string): Element | undefined {
    return asked(() => this.select.selectOne(selector, this.root) ?? undefined) as Element | undefined;
  }

  #all(selector: string): Element[] {
    return asked(() => this.select.selectAll(selector, this.root)) as Element[];
  }
}

/** What a selector's grammar does not tell, such as a pseudo-class that there is not. */
function asked<T>(ask: () => T): T {
  try {
    return ask();
  } catch (cause) {
    throw new TaskFailure("invalid_input", "A selector cannot be used.", { cause });
  }
}
