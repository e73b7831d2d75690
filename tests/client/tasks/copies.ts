import { defineTask, madeFile } from "errand";
import { z } from "zod";

export default defineTask({
  input: z.strictObject({ file: z.uuid() }),
  result: madeFile,
  files: true,
  async run({ file }, { files }) {
    const given = await files.open(file);
    return await files.write(given.stream(), {
      name: `copy of ${given.name}`,
      contentType: given.contentType,
    });
  },
});
