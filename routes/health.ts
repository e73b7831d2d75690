import type { Hono } from "hono";
import type { AppDeps } from "./deps.ts";
import { reply, SERVICE_DESC } from "./reply.ts";

const FRESH = { "cache-control": "no-store" };

/** `/livez` says that the process answers; `/readyz` whether work should be sent to it. */
export function mountHealth(app: Hono, { health }: AppDeps): void {
  app.get("/livez", () => reply(200, '{"status":"ok"}', { ...FRESH, ...SERVICE_DESC }));

  app.get("/readyz", () => {
    const problems = health.draining() ? ["draining", ...health.problems()] : health.problems();
    const notices = health.notices();
    const ready = problems.length === 0;
    const body = {
      status: ready ? "ok" : "unavailable",
      problems: ready ? undefined : problems,
      notices: notices.length === 0 ? undefined : notices,
    };
    return reply(ready ? 200 : 503, JSON.stringify(body), FRESH);
  });
}
