import type { Hono } from "hono";
import { createHash } from "node:crypto";
import type { AppDeps } from "../deps.ts";
import { Problem } from "../problem.ts";
import { reply, replyEmpty, SERVICE_DESC } from "../reply.ts";
import { matches } from "../task.ts";
import { ASSETS } from "./assets.ts";
import { documentOf } from "./document.ts";
import { html, page } from "./html.ts";
import { mountIndex } from "./index.ts";
import { mountProblems } from "./problem_pages.ts";

/** `/openapi.json`, `/docs`, `/problems` and `/`: what this service says of itself. Open to whoever reaches it. */
export function mountDescription(app: Hono, { registry, version, base }: AppDeps): void {
  // Once: types do not change while the service runs.
  const document = JSON.stringify(documentOf(registry, version, base));
  app.get("/openapi.json", (c) => fixed(c.req.raw, document, "application/json"));

  app.get("/docs", () => {
    const body = html`<div id="docs"></div>`;
    const scripts = ["swagger-ui-bundle.js", "docs.js"];
    return page({ title: "Errand API", root: "", styles: ["swagger-ui.css"], scripts, body }, SERVICE_DESC);
  });

  app.get("/docs/:asset", async (c) => {
    const name = c.req.param("asset");
    if (!Object.hasOwn(ASSETS, name)) throw new Problem("not-found");
    const { type, load } = ASSETS[name as keyof typeof ASSETS];
    const { default: text } = await load();
    return fixed(c.req.raw, text, type);
  });

  mountProblems(app, base);
  mountIndex(app, base);
}

/** By text: there are few of them, and they last as long as the process. */
const etags = new Map<string, string>();

/** What only another version of the service would answer otherwise. */
function fixed(request: Request, text: string, type: string): Response {
  let etag = etags.get(text);
  if (etag === undefined) {
    etag = `W/"${createHash("sha256").update(text).digest("base64url").slice(0, 22)}"`;
    etags.set(text, etag);
  }
  const headers = { etag, "cache-control": "no-cache" };
  if (matches(request.headers.get("if-none-match") ?? undefined, etag)) return replyEmpty(304, headers);
  return reply(200, text, { ...headers, "content-type": type });
}
