/**
 * Errand inside an app of one's own: no second service to run, and still no task code in this process, as tasks run in
 * processes of their own.
 *
 *   deno run -A examples/embedded.ts                                  # http://127.0.0.1:8080
 *   curl localhost:8080/count --data 'to be or not to be'             # 202 {"task": "/background/v1/tasks/01a2…"}
 *   curl localhost:8080/background/v1/tasks/01a2…                     # {"status": "succeeded", "result": {"words": 6, …}
 */
import { createClient, createErrand } from "errand";
import { Hono } from "hono";

// Whatever is wrong with the options is said here at once, in one error; then nothing is left running.
const errand = await createErrand({
  tasks: new URL("./tasks", import.meta.url),
  dataDir: Deno.env.get("DATA_DIR") ?? "data",
  drainTimeout: "10s",
  log: (level, message, facts) => level !== "debug" && console.error(level, message, facts ?? ""),
});

const app = new Hono();

// All of the service's API, below a path: its links, its `Location` headers and its documentation begin there.
// A middleware in front of it could ask who is there, as with any other route.
app.route("/background", errand.app);

// The types of inputs and results come from the task files; no request leaves this process.
const client = createClient<{ "word-count": typeof import("./tasks/word_count.ts").default }>({
  url: "http://localhost/background",
  fetch: async (input, init) => await app.fetch(new Request(input, init)),
});

app.post("/count", async (c) => {
  const task = await client.tasks.submit("word-count", { text: await c.req.text() });
  return c.json({ task: task.view.links.self }, 202);
});

const server = Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.env.get("PORT") ?? 8080) }, app.fetch);

// Running tasks get their time to finish; then nothing keeps this process alive.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, async () => {
    await errand.stop();
    await server.shutdown();
    Deno.exit(0);
  });
}
