/**
 * A script that has something heavy done elsewhere, and shows how far it is:
 *
 *   deno task start &
 *   deno run --allow-net --allow-env examples/client.ts 200000000
 *   ████████████████████░░░░░░░░░░░░░░░░░░░░  50 %  5761455 primes
 *
 * Ctrl-C cancels the task, wherever it runs. ERRAND_URL and ERRAND_KEY say where the service is and who is asking.
 */
import { createClient, ErrandProblem } from "errand/client";

const WIDTH = 40;

const client = createClient({
  url: Deno.env.get("ERRAND_URL") ?? "http://127.0.0.1:8000",
  key: Deno.env.get("ERRAND_KEY"),
});

try {
  const task = await client.tasks.submit("count-primes", { upTo: Number(Deno.args[0] ?? 100_000_000) });
  Deno.addSignalListener("SIGINT", () => {
    // It may have ended just before.
    task.cancel().catch(() => {});
  });

  // The stream of the task's events, resumed where a connection breaks; without `onProgress` one request would wait.
  const done = await task.wait({
    onProgress: ({ current, total = current, message = "" }) => bar(current / total, message),
  });
  console.log();
  if (done.status === "succeeded") console.log(`${done.result.count} primes`);
  else if (done.status === "failed") console.error(`${done.error.code}: ${done.error.message}`);
  else console.error("cancelled");
  Deno.exit(done.status === "succeeded" ? 0 : 1);
} catch (error) {
  if (!(error instanceof ErrandProblem)) throw error;
  // Such as `validation-failed`, with a pointer to what is wrong in the input, or `unreachable`.
  console.error(`${error.code}: ${error.message}`);
  Deno.exit(1);
}

function bar(share: number, message: string): void {
  const full = Math.round(share * WIDTH);
  const percent = `${Math.floor(share * 100)} %`.padStart(6);
  const text = `\r${"█".repeat(full)}${"░".repeat(WIDTH - full)}${percent}  ${message}`;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
