/** A child of `types.ts`: loads what the API process is, then the task types, and tells what those took. */
import "../errand.ts";
import "../routes/app.ts";
import "../tasks/sleep.ts";

const TASKS = new URL("../tasks/", import.meta.url);

/** Of it `--expose-gc` makes a function. */
const { gc } = globalThis as unknown as { gc(): void };

const before = used();
for (const { name } of Deno.readDirSync(TASKS)) {
  if (name.endsWith(".ts") && name !== "mod.ts") await import(new URL(name, TASKS).href);
}
const after = used();
console.log(JSON.stringify({ heap: after.heap - before.heap, rss: after.rss - before.rss }));
Deno.exit(0);

function used(): { heap: number; rss: number } {
  for (let i = 0; i < 3; i++) gc();
  const { heapUsed: heap, rss } = Deno.memoryUsage();
  return { heap, rss };
}
