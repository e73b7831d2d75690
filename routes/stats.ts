import type { Hono } from "hono";
import { type Status, STATUSES } from "../queue/task.ts";
import { type AppDeps, OWNER } from "./deps.ts";
import { reply } from "./reply.ts";

/** `GET /v1/stats`: how many tasks there are. */
export function mountStats(app: Hono, { store, finished }: AppDeps): void {
  app.get("/v1/stats", async () => {
    const types = await store.counts(OWNER);
    const counts = Object.fromEntries(STATUSES.map((status) => [status, 0])) as Record<Status, number>;
    for (const byStatus of Object.values(types)) {
      for (const status of STATUSES) counts[status] += byStatus[status] ?? 0;
    }
    return reply(200, JSON.stringify({ counts, types, finished: finished() }), {
      "cache-control": "no-store",
    });
  });
}
