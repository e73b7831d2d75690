import { defineTask, NonRetryableError } from "errand";
import { z } from "zod";

export default defineTask({
  input: z.strictObject({ message: z.string() }),
  run({ message }): never {
    throw new NonRetryableError(message);
  },
});
