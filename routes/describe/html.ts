import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { html } from "hono/html";

const HTML = "text/html";
const JSON_TYPE = "application/json";

type Html = ReturnType<typeof html>;

/**
 * Nothing but what this server serves, nothing inline, no frames. Images may stand in the style sheet itself, as those
 * of Swagger UI do.
 */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export interface Page {
  readonly title: string;
  /** From the page to the root, for what it links to: `""`, or `"../"`. */
  readonly root: string;
  readonly styles: readonly string[];
  readonly scripts?: readonly string[];
  readonly body: Html;
}

/** A page under a strict Content-Security-Policy. */
export async function page(
  { title, root, styles, scripts = [], body }: Page,
  headers?: Readonly<Record<string, string>>,
): Promise<Response> {
  const text = await html`
    <!DOCTYPE html>
    <html lang="en">
      <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>${title}</title>
            <link rel="icon" href="data:,">
            ${styles.map((name) => html`<link rel="stylesheet" href="${root}docs/${name}">`)}
          </head>
      <body>
            ${body} ${scripts.map((name) => html`<script src="${root}docs/${name}"></script>`)}
          </body>
    </html>
  `;
  return new Response(String(text), {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": CSP,
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      ...headers,
    },
  });
}

/** Text with code in backticks. */
export function prose(text: string): Html {
  const parts = text.split("`").map((part, i) => i % 2 === 0 ? part : html`<code>${part}</code>`);
  return html`${parts}`;
}

/** Whether the client prefers HTML to JSON. @param otherwise where it does not say */
export function wantsHtml(c: Context, otherwise: boolean): boolean {
  const [first, second] = otherwise ? [HTML, JSON_TYPE] : [JSON_TYPE, HTML];
  return accepts(c, { header: "Accept", supports: [first, second], default: first }) === HTML;
}

export { html };
