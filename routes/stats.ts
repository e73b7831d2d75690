import type { Hono } from "hono";
import type { Counts } from "../queue/store.ts";
import { type Status, STATUSES } from "../queue/task.ts";
import type { AppDeps } from "./deps.ts";
import { reply } from "./reply.ts";

/** `GET /v1/stats`: how many tasks the caller has; for `admin`, how many there are. */
export function mountStats(app: Hono, { store, admit, finished }: AppDeps): void {
  app.get("/v1/stats", async (c) => {
    const { owner, scopes } = admit(c.req.raw, "read");
    const all = scopes.has("admin");
    const counts = countsOf(await store.counts(all ? undefined : owner));
    return reply(200, JSON.stringify({ ...counts, finished: all ? finished() : undefined }), {
      "cache-control": "no-store",
    });
  });
}

/** By type, and all types together. */
export function countsOf(types: Counts): { counts: Record<Status, number>; types: Counts } {
  const counts = Object.fromEntries(STATUSES.map((status) => [status, 0])) as Record<Status, number>;
  for (const byStatus of Object.values(types)) {
    for (const status of STATUSES) counts[status] += byStatus[status] ?? 0;
  }
  return { counts, types };
}
