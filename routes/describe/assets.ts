/** The files that the pages are made of, served from here alone: no page asks another server for anything. */

interface Asset {
  readonly type: string;
  /** Only when somebody looks at the page: they are large. */
  readonly load: () => Promise<{ default: string }>;
}

const CSS = "text/css; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";

export const ASSETS = {
  "swagger-ui.css": {
    type: CSS,
    load: () => import("swagger-ui-dist/swagger-ui.css", { with: { type: "text" } }),
  },
  "swagger-ui-bundle.js": {
    type: SCRIPT,
    load: () => import("swagger-ui-dist/swagger-ui-bundle.js", { with: { type: "text" } }),
  },
  "docs.js": { type: SCRIPT, load: () => import("./docs.js", { with: { type: "text" } }) },
  "page.css": { type: CSS, load: () => import("./page.css", { with: { type: "text" } }) },
} as const satisfies Readonly<Record<string, Asset>>;
