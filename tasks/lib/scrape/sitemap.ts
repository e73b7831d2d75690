import { TaskFailure } from "../failure.ts";
import type { Visitor } from "./visitor.ts";

/** Bytes that are read, inflated: what comes later is not looked at. */
const SITEMAP_MAX = 10 * 2 ** 20;
const URL_MAX = 2_048;

/** Sitemaps of one index that are read. */
const SITEMAPS_MAX = 20;
const ACCEPT = "application/xml, text/xml, application/gzip";

/**
 * The URLs of the pages that a sitemap names, or the sitemaps that it names.
 *
 * @throws {TaskFailure} where one of them cannot be read
 */
export async function pagesIn(sitemap: string, most: number, visitor: Visitor): Promise<string[]> {
  const read = async (url: string, most: number) => {
    const answer = await visitor.visit(url, ACCEPT);
    return await readSitemap(answer.body, new URL(answer.url).host, most);
  };
  const first = await read(sitemap, most);
  if (first.kind === "pages") return first.urls.filter(isWeb);
  const pages: string[] = [];
  // An index names no further index.
  for (const url of first.urls.filter(isWeb).slice(0, SITEMAPS_MAX)) {
    if (pages.length >= most) break;
    const { kind, urls } = await read(url, most - pages.length);
    if (kind === "pages") pages.push(...urls.filter(isWeb));
  }
  return pages;
}

function isWeb(url: string): boolean {
  return /^https?:$/.test(URL.parse(url)?.protocol ?? "");
}

export interface Sitemap {
  /** The URLs of pages, or of further sitemaps. */
  readonly kind: "pages" | "sitemaps";
  readonly urls: string[];
}

/**
 * Reads as much of a sitemap as it takes (sitemaps.org, protocol 0.90), packed or not. Its document type is not read:
 * entities that it defines stay as they are.
 *
 * @throws {TaskFailure} `unsupported_format` where it is none
 */
export async function readSitemap(
  body: ReadableStream<Uint8Array>,
  host: string,
  most: number,
): Promise<Sitemap> {
  const { Parser } = await import("htmlparser2");
  const urls: string[] = [];
  let kind: Sitemap["kind"] | undefined;
  let depth = 0;
  let loc: string | undefined;
  const parser = new Parser({
    onopentag(name) {
      depth++;
      if (depth === 1) kind = name === "urlset" ? "pages" : name === "sitemapindex" ? "sitemaps" : undefined;
      // `image:loc` and its like are deeper, and something else.
      if (depth === 3 && name === "loc") loc = "";
    },
    ontext(text) {
      if (loc !== undefined && loc.length <= URL_MAX) loc += text;
    },
    onclosetag() {
      if (depth-- !== 3 || loc === undefined) return;
      if (loc.length <= URL_MAX && urls.length < most) urls.push(loc.trim());
      loc = undefined;
    },
  }, { xmlMode: true });
  const decoder = new TextDecoder();
  let length = 0;
  try {
    for await (const piece of await unpacked(body)) {
      parser.write(decoder.decode(piece, { stream: true }));
      length += piece.length;
      if (urls.length >= most || length > SITEMAP_MAX || (depth > 0 && !kind)) break;
    }
  } catch (error) {
    if (error instanceof TypeError) throw none(host, error);
    throw error;
  }
  parser.end();
  if (!kind) throw none(host);
  return { kind, urls };
}

function none(host: string, cause?: unknown): TaskFailure {
  return new TaskFailure("unsupported_format", `${host} answered with what is no sitemap.`, { cause });
}

/** `sitemap.xml.gz` is a packed file that is sent as it is. */
async function unpacked(body: ReadableStream<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const reader = body.getReader();
  const { value, done } = await reader.read();
  const first = value ?? new Uint8Array();
  const whole = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => done ? controller.close() : controller.enqueue(first.slice()),
    async pull(controller) {
      const { value, done } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value.slice());
    },
    cancel: (reason) => reader.cancel(reason),
  });
  const packed = first[0] === 0x1f && (first[1] === 0x8b || first.length === 1);
  return packed ? whole.pipeThrough(new DecompressionStream("gzip")) : whole;
}
