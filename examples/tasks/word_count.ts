import { defineTask } from "errand";
import { z } from "zod";

/** A task type of one's own: this file is all there is to it. */
export default defineTask({
  description: "Counts the words of a text.",
  input: z.strictObject({ text: z.string().max(100_000) }),
  result: z.strictObject({ words: z.int(), longest: z.string() }),
  timeout: "10s",
  run({ text }, { log, progress }) {
    const words = text.split(/\s+/).filter(Boolean);
    progress(words.length, words.length);
    log.info(`${words.length} words`);
    return { words: words.length, longest: words.reduce((a, b) => b.length > a.length ? b : a, "") };
  },
});
