/** The child of `probe()`: imports one task file after the other and says of each whether it is one. */
import { isTaskDefinition } from "../tasks/mod.ts";

const [mark, ...modules] = Deno.args;
for (const module of modules) {
  let fault: string | undefined;
  try {
    const { default: definition } = await import(module);
    if (!isTaskDefinition(definition)) fault = "Its default export is not from defineTask().";
  } catch (error) {
    fault = (error instanceof Error ? error.message : String(error)).split("\n")[0];
  }
  console.log(mark + JSON.stringify({ module, fault }));
}
Deno.exit(0);
