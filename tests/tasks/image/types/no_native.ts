import { defineTask } from "errand";
import { z } from "zod";
import { loadSharp } from "../../../../tasks/lib/image/sharpener.ts";

export default defineTask({
  description:
    "As process-image on a machine for which its library has no native part: nothing may be loaded.",
  input: z.strictObject({}),
  permissions: { env: ["MALLOC_ARENA_MAX", "npm_package_config_libvips"] },
  isolation: "process",
  setup: async () => void await loadSharp(),
  run: () => null,
});
