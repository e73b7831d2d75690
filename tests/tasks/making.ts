import type { TaskFiles } from "../../tasks/mod.ts";
import { HandlerFiles } from "../../workers/handler_files.ts";
import { RunFolder } from "../../workers/run_folder.ts";

/** The files of one run, in a folder as a runner has it. */
export async function making(
  test: (files: TaskFiles, read: (file: string) => Uint8Array) => Promise<void>,
  max = 2 ** 20,
): Promise<void> {
  const path = await Deno.makeTempDir();
  try {
    const folder = new RunFolder(path);
    folder.create();
    await folder.begin(1);
    const files = new HandlerFiles({ folder: path, max }, 1, () => {});
    await test(files, (file) => Deno.readFileSync(`${path}/out/1/${file}`));
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}
