import type { Hono } from "hono";
import { Problem, type ProblemCode, PROBLEMS } from "../problem.ts";
import { reply, SERVICE_DESC } from "../reply.ts";
import { html, page, prose, wantsHtml } from "./html.ts";
import { type Meaning, MEANINGS } from "./problems.ts";

const ADVICE: Readonly<Record<Meaning["retry"], string>> = {
  now: "Yes, at once.",
  later: "Yes, later: after `Retry-After` seconds where the answer names them.",
  changed: "Only once it has been changed: the same request gets the same answer.",
  never: "No: it will get the same answer for ever.",
};

const HEADERS = { ...SERVICE_DESC, vary: "accept" };

/** `/problems/{code}`, where a problem's `type` leads: what it means and what to do. */
export function mountProblems(app: Hono, base = ""): void {
  const codes = Object.keys(PROBLEMS) as ProblemCode[];
  const all = JSON.stringify({ problems: codes.map((code) => meaningOf(code, base)) });

  app.get("/problems", (c) => {
    return wantsHtml(c, true) ? listPage(codes) : reply(200, all, HEADERS);
  });

  app.get("/problems/:code", (c) => {
    const code = codes.find((code) => code === c.req.param("code"));
    if (code === undefined) throw new Problem("not-found");
    return wantsHtml(c, true)
      ? problemPage(code)
      : reply(200, JSON.stringify(meaningOf(code, base)), HEADERS);
  });
}

function meaningOf(code: ProblemCode, base = "") {
  const [status, title] = PROBLEMS[code];
  return { type: `${base}/problems/${code}`, code, status, title, ...MEANINGS[code] };
}

function problemPage(code: ProblemCode): Promise<Response> {
  const { status, title, meaning, remedy, retry } = meaningOf(code);
  const body = html`
    <h1>${title}</h1>
    <p class="muted"><code>${code}</code>, status ${status}</p>
    <h2>What it means</h2>
    <p>${prose(meaning)}</p>
    <h2>What to do</h2>
    <p>${prose(remedy)}</p>
    <h2>Does sending it again help?</h2>
    <p>${prose(ADVICE[retry])}</p>
    <p><a href="../problems">All problems</a></p>
  `;
  return page({ title, root: "../", styles: ["page.css"], body }, HEADERS);
}

function listPage(codes: readonly ProblemCode[]): Promise<Response> {
  const rows = codes.map((code) => {
    const [status, title] = PROBLEMS[code];
    return html`
      <tr>
        <td>${status}</td>
        <td><a href="problems/${code}">${code}</a></td>
        <td>${title}</td>
      </tr>
    `;
  });
  const body = html`
    <h1>Problems</h1>
    <p>Every error is <code>application/problem+json</code>; its <code>type</code> leads to one of these pages.</p>
    <table>
      <thead>
        <tr>
          <th>Status</th>
          <th>Code</th>
          <th>Title</th>
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  `;
  return page({ title: "Problems", root: "", styles: ["page.css"], body }, HEADERS);
}
