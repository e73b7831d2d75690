import definition from "../../../tasks/scrape_page.ts";
import { contextFor, perform } from "../context.ts";
import { serving } from "../egress/servers.ts";

export interface Scraping {
  pages: {
    url: string;
    status: number;
    data: Record<string, string | string[]>;
    article?: Record<string, string>;
    links?: string[];
  }[];
  skipped: { url: string; reason: string; message: string }[];
}

export function scrape(input: unknown, context = contextFor()): Promise<Scraping> {
  return perform(definition, input, context) as Promise<Scraping>;
}

/** What is answered for a path: HTML, or an answer. */
export type Site = Readonly<Record<string, string | ((request: Request) => Response)>>;

/** A site of these paths, and the requests that it gets. */
export async function site(
  paths: Site,
  test: (origin: string, asked: { path: string; agent: string | null; at: number }[]) => Promise<void>,
): Promise<void> {
  const asked: { path: string; agent: string | null; at: number }[] = [];
  await serving((request, { pathname }) => {
    asked.push({ path: pathname, agent: request.headers.get("user-agent"), at: performance.now() });
    const answer = paths[pathname];
    if (typeof answer === "function") return answer(request);
    if (answer === undefined) return new Response("no", { status: 404 });
    const type = pathname.endsWith(".txt")
      ? "text/plain"
      : pathname.endsWith(".xml")
      ? "text/xml"
      : "text/html";
    return new Response(answer, { headers: { "content-type": type } });
  }, (origin) => test(origin, asked));
}

export const redirect = (location: string) => () =>
  new Response(null, { status: 302, headers: { location } });
