import { defineTask } from "errand";
import { z } from "zod";

export default defineTask({
  description: "Does nothing: what is left is the way there and back.",
  input: z.strictObject({ n: z.number() }),
  concurrency: 256,
  tasksPerWorker: 128,
  run() {},
});
