/** The child of `probe()`: imports one task file after the other and says of each whether it is one. */
import { isTaskDefinition } from "../tasks/mod.ts";

const FAULT_MAX = 4_000;

const [mark, ...modules] = Deno.args;
for (const module of modules) {
  let fault: string | undefined;
  try {
    const { default: definition } = await import(module);
    if (!isTaskDefinition(definition)) fault = "Its default export is not from defineTask().";
  } catch (error) {
    fault = String(error instanceof Error ? error.message : error).slice(0, FAULT_MAX);
  }
  console.log(mark + JSON.stringify({ module, fault }));
}
Deno.exit(0);
