import { uuidv7 } from "uuidv7";
import { DiskFiles } from "../../queue/files/disk.ts";
import type { Store } from "../../queue/store.ts";

/** A small real store of files, in a folder of its own. */
export class TempFiles implements Disposable {
  private constructor(readonly files: DiskFiles, readonly folder: string) {}

  /** @param tasks which says whether a file's tasks are known */
  static async open(tasks: Pick<Store, "get">): Promise<TempFiles> {
    const folder = Deno.makeTempDirSync({ prefix: "errand-test-" });
    const bounds = { fileMax: 10_000, maxBytes: 50_000, retention: 60_000 };
    const files = await DiskFiles.open({ folder, ...bounds, tasks, newId: uuidv7, now: Date.now });
    return new TempFiles(files, folder);
  }

  [Symbol.dispose](): void {
    this.files.close();
    Deno.removeSync(this.folder, { recursive: true });
  }
}
