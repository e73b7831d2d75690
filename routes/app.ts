import { Hono } from "hono";
import { type Admit, anonymous } from "./admit.ts";
import type { AppDeps } from "./deps.ts";
import { mountDescription } from "./describe/mount.ts";
import { mountBatches } from "./batches.ts";
import { mountDeliveries } from "./deliveries.ts";
import { mountEvents } from "./events/mount.ts";
import { mountFiles } from "./files.ts";
import { mountHealth } from "./health.ts";
import { isForged, namesHost, namesLoopback } from "./host.ts";
import { mountList } from "./list.ts";
import { moved, pathBelow } from "./mounted.ts";
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
  const { base = "" } = given;
  const app = new Hono(base === "" ? {} : { getPath: pathBelow(base) });

  mountTasks(app, deps);
  mountBatches(app, deps);
  mountDeliveries(app, deps);
  mountList(app, deps);
  mountTask(app, deps);
  mountEvents(app, deps);
  if (deps.files) mountFiles(app, deps.files, deps);
  mountTypes(app, deps);
  mountStats(app, deps);
  mountHealth(app, deps);
  mountDescription(app, deps);

  app.notFound((c) => {
    // Who has no key is told nothing, not even which paths there are.
    if (c.req.path.startsWith("/v1/")) deps.admit(c.req.raw);
    const allowed = methodsOf(app, c.req.path);
    if (allowed.length === 0) return problemResponse(new Problem("not-found"), c.req.raw, { base });
    const headers = { allow: allowed.join(", ") };
    return problemResponse(new Problem("method-not-allowed", undefined, { headers }), c.req.raw, { base });
  });

  app.onError((error, c) => {
    const problem = asProblem(error);
    if (problem !== undefined) return problemResponse(problem, c.req.raw, { base });
    const requestId = requestIdOf(c.req.raw);
    deps.log(error, requestId);
    return problemResponse(new Problem("internal-error"), c.req.raw, { requestId, base });
  });

  // In front of the router, as the router already goes by what a bad host has made of the path.
  const { fetch } = app;
  const guard = deps.admit === anonymous ? guardOpen(deps.loopbackOnly ?? false) : guardHost;
  const { stamp } = deps.admit;
  app.fetch = (request, env, context) => {
    const problem = guard(request);
    if (problem !== undefined) return problemResponse(problem, request, { base });
    const answer = fetch(request, env, context);
    return stamp === undefined ? answer : stamped(request, answer, stamp);
  };
  if (base !== "") {
    const { fetch } = app;
    app.fetch = (...args) => moved(fetch(...args), base);
  }
  return app;
}

function guardHost(request: Request): Problem | undefined {
  return namesHost(request) ? undefined : new Problem("bad-request", "The host is not a name or address.");
}

/** Where no key is needed, being asked by the right name and by no foreign page is all the protection there is. */
function guardOpen(loopbackOnly: boolean): typeof guardHost {
  const isOurs = loopbackOnly ? namesLoopback : namesHost;
  return (request) => {
    if (!isOurs(request)) return guardHost(request) ?? new Problem("forbidden", FOREIGN_NAME);
    return isForged(request) ? new Problem("forbidden", FOREIGN_PAGE) : undefined;
  };
}

const FOREIGN_NAME =
  "Without API keys only loopback names such as localhost are answered, unless ALLOW_ANONYMOUS=true.";
const FOREIGN_PAGE = "Without API keys pages of other origins may change nothing.";

async function stamped(
  request: Request,
  answer: Response | Promise<Response>,
  stamp: NonNullable<Admit["stamp"]>,
): Promise<Response> {
  const response = await answer;
  stamp(request, response);
  return response;
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
