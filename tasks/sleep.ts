import { z } from "zod";
import { defineTask } from "./mod.ts";

export default defineTask({
  description: "Waits: the long-running task of every tutorial.",
  input: z.strictObject({ ms: z.int().min(0).max(86_400_000) }).meta({ examples: [{ ms: 1000 }] }),
  result: z.strictObject({ sleptMs: z.int() }),
  timeout: "25h",
  async run({ ms }, { signal }) {
    const started = performance.now();
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
      if (signal.aborted) done();
      function done() {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        signal.aborted ? reject(signal.reason) : resolve();
      }
    });
    return { sleptMs: Math.round(performance.now() - started) };
  },
});
