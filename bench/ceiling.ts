/** The ceiling: what Hono on `Deno.serve` can do at most with the same request, keeping nothing and running nothing. */
import { Hono } from "hono";
import { z } from "zod";

const submission = z.object({ type: z.string(), input: z.object({ n: z.number() }) });

const app = new Hono();
app.post("/v1/tasks", async (c) => {
  submission.parse(await c.req.json());
  return c.json({ id: crypto.randomUUID() }, 202);
});
app.get("/livez", (c) => c.text("ok"));

Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("PORT")), onListen() {} }, app.fetch);
