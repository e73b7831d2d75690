import { Hono } from "hono";
import type { AppDeps } from "./deps.ts";
import { mountHealth } from "./health.ts";
import { namesHost } from "./host.ts";
import { mountList } from "./list.ts";
import { Problem, problemResponse, requestIdOf } from "./problem.ts";
import { mountStats } from "./stats.ts";
import { mountTask } from "./task.ts";
import { mountTasks } from "./tasks.ts";
import { asProblem } from "./translate.ts";
import { mountTypes } from "./types.ts";

export type { AppDeps, Health, Limits } from "./deps.ts";

/** The HTTP service: every route, and what an error becomes. */
export function createApp(given: AppDeps): Hono {
  const deps = { log: logLine, ...given };
  const app = new Hono();

  mountTasks(app, deps);
  mountList(app, deps);
  mountTask(app, deps);
  mountTypes(app, deps);
  mountStats(app, deps);
  mountHealth(app, deps);

  app.notFound((c) => {
    const allowed = methodsOf(app, c.req.path);
    if (allowed.length === 0) return problemResponse(new Problem("not-found"), c.req.raw);
    const headers = { allow: allowed.join(", ") };
    return problemResponse(new Problem("method-not-allowed", undefined, { headers }), c.req.raw);
  });

  app.onError((error, c) => {
    const problem = asProblem(error);
    if (problem !== undefined) return problemResponse(problem, c.req.raw);
    const requestId = requestIdOf(c.req.raw);
    deps.log(error, requestId);
    return problemResponse(new Problem("internal-error"), c.req.raw, requestId);
  });

  // In front of the router, as the router already goes by what a bad host has made of the path.
  const { fetch } = app;
  app.fetch = (request, env, context) => {
    return namesHost(request) ? fetch(request, env, context) : badHost(request);
  };
  return app;
}

function badHost(request: Request): Response {
  return problemResponse(new Problem("bad-request", "The host is not a name or address."), request);
}

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/** The methods that a path has routes for. Asks the router, so that no second list of paths can go stale. */
function methodsOf(app: Hono, path: string): string[] {
  return METHODS.filter((method) => {
    const asked = method === "HEAD" ? "GET" : method;
    const [handlers] = app.router.match(asked, path);
    // Middleware is registered for all methods and is not a route.
    return handlers.some(([[, route]]) => route.method === asked);
  });
}

function logLine(error: unknown, requestId: string): void {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  // As JSON, so that whatever the text holds it stays one line without escape sequences.
  console.error(JSON.stringify({ level: "error", message: "unexpected error", requestId, error: text }));
}
