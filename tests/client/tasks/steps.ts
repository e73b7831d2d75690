import { defineTask } from "errand";
import { z } from "zod";

/** Says how far it is, slowly enough that each is heard. */
export default defineTask({
  input: z.strictObject({ steps: z.int(), every: z.int() }),
  result: z.strictObject({ steps: z.int() }),
  async run({ steps, every }, { progress, log, signal }) {
    for (let step = 1; step <= steps; step++) {
      progress(step, steps, `step ${step}`);
      log.info(`step ${step}`);
      await new Promise((resolve) => setTimeout(resolve, every));
      signal.throwIfAborted();
    }
    return { steps };
  },
});
