import { defineTask } from "errand";
import { z } from "zod";

export default defineTask({
  description: "Asks for the whole network, and goes around the egress guard.",
  input: z.strictObject({ url: z.string() }),
  permissions: { net: true },
  maxAttempts: 1,
  run: async ({ url }) => {
    const response = await fetch(url).catch((error) => {
      // What `fetch` was refused for a name it tells in the cause alone.
      throw error.cause ?? error;
    });
    return { status: response.status, text: await response.text() };
  },
});
