import type { Hono } from "hono";
import { reply, SERVICE_DESC } from "../reply.ts";
import { html, page, wantsHtml } from "./html.ts";

const LINKS = {
  "/docs": "The API, to read and to try out",
  "/openapi.json": "The API, as OpenAPI 3.1",
  "/v1/types": "The task types",
  "/v1/tasks": "The tasks",
  "/problems": "What each problem means",
} as const;

const HEADERS = { ...SERVICE_DESC, vary: "accept" };

/** `/`: where to begin. */
export function mountIndex(app: Hono, base = ""): void {
  const links = Object.fromEntries(Object.keys(LINKS).map((path) => [path.split("/").at(-1), base + path]));
  const json = JSON.stringify({ name: "Errand", links });
  app.get("/", (c) => wantsHtml(c, false) ? indexPage() : reply(200, json, HEADERS));
}

function indexPage(): Promise<Response> {
  const items = Object.entries(LINKS).map(([path, what]) =>
    html`<li><a href="${path.slice(1)}">${path}</a>: ${what}</li>`
  );
  const body = html`
    <h1>Errand</h1>
    <p>A background-task service over plain HTTP.</p>
    <ul>
      ${items}
    </ul>
  `;
  return page({ title: "Errand", root: "", styles: ["page.css"], body }, HEADERS);
}
