/**
 * The folder of a runner whose type has files:
 *
 *     in/<key>/<id>, <id>.json     what a run was given; the runner may read it
 *     out/<key>/<id>               what a run makes; the runner may write there, and nowhere else
 *     made/<key>/<id>              what a run has made; the runner sees it no more
 *
 * The runner chooses nothing of these paths but ids, which are UUIDs.
 */

/** Entries of a run's folder that are looked at to learn how much is in it. */
const ENTRIES_MAX = 10_000;

/** What a handler is told of a file that its input names. */
export interface GivenMeta {
  readonly name: string | undefined;
  readonly contentType: string;
  readonly size: number;
}

/** Both sides go by these. */
export const inputs = (folder: string, key: number) => `${folder}/in/${key}`;
export const outputs = (folder: string, key: number) => `${folder}/out/${key}`;

export class RunFolder {
  constructor(readonly path: string) {}

  /** What a runner is granted, besides what its type asks for. */
  get rights(): { read: string[]; write: string[] } {
    const [given, making] = [`${this.path}/in`, `${this.path}/out`];
    return { read: [given, making], write: [making] };
  }

  create(): void {
    for (const part of ["in", "out", "made"]) {
      Deno.mkdirSync(`${this.path}/${part}`, { recursive: true, mode: 0o700 });
    }
  }

  async begin(key: number): Promise<void> {
    await Promise.all([Deno.mkdir(inputs(this.path, key)), Deno.mkdir(outputs(this.path, key))]);
  }

  /** Where a given file is to appear. */
  given(key: number, id: string): string {
    return `${inputs(this.path, key)}/${id}`;
  }

  async describe(key: number, id: string, { name, contentType, size }: GivenMeta): Promise<void> {
    await Deno.writeTextFile(`${this.given(key, id)}.json`, JSON.stringify({ name, contentType, size }));
  }

  /**
   * Takes what the run has made out of its hands, at once. Answers where it is now; `undefined` where the run has put
   * something else in the place of its folder, such as a link to another one.
   */
  async take(key: number): Promise<((id: string) => string) | undefined> {
    const made = `${this.path}/made/${key}`;
    await Deno.rename(outputs(this.path, key), made);
    const { isDirectory } = await Deno.lstat(made);
    return isDirectory ? (id) => `${made}/${id}` : undefined;
  }

  /** Whether what the run has written takes more than `most` bytes. */
  async exceeds(key: number, most: number): Promise<boolean> {
    let bytes = 0;
    let entries = 0;
    const folders = [outputs(this.path, key)];
    for (const folder of folders) {
      try {
        for await (const { name, isDirectory } of Deno.readDir(folder)) {
          if (++entries > ENTRIES_MAX) return true;
          if (isDirectory) folders.push(`${folder}/${name}`);
          else bytes += (await Deno.lstat(`${folder}/${name}`)).size;
          if (bytes > most) return true;
        }
      } catch { /* It has just gone. */ }
    }
    return false;
  }

  /** Nothing of it is needed any more, or of that run. */
  async remove(key?: number): Promise<void> {
    const paths = key === undefined
      ? [this.path]
      : ["in", "out", "made"].map((part) => `${this.path}/${part}/${key}`);
    for (const path of paths) await Deno.remove(path, { recursive: true }).catch(() => {});
  }
}
