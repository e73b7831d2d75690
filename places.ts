/** The files and folders that the settings name: whether they can be used, before anything is begun. */
import { parseKeyFile, readKeyFile } from "./routes/keys/file.ts";

export interface Places {
  readonly dataDir?: string;
  readonly tasks?: readonly string[];
  readonly apiKeysFile?: string;
}

/**
 * Why which of them cannot be used, in a line each.
 *
 * @param names what whoever has set them calls them
 */
export function unusable(places: Places, names: Readonly<Record<keyof Places, string>>): string[] {
  const { dataDir, tasks = [], apiKeysFile } = places;
  const faults: string[] = [];
  const tried = (name: string, path: string, done: string, attempt: () => unknown) => {
    try {
      attempt();
    } catch (error) {
      faults.push(`${name}=${path} cannot be ${done}: ${firstLine(error)}`);
    }
  };
  if (dataDir !== undefined) {
    tried(names.dataDir, dataDir, "written", () => {
      Deno.mkdirSync(dataDir, { recursive: true });
      const trial = `${dataDir}/.errand-${crypto.randomUUID()}`;
      Deno.writeTextFileSync(trial, "");
      Deno.removeSync(trial);
    });
  }
  for (const folder of tasks) tried(names.tasks, folder, "read", () => [...Deno.readDirSync(folder)]);
  if (apiKeysFile !== undefined) {
    tried(names.apiKeysFile, apiKeysFile, "used", () => parseKeyFile(readKeyFile(apiKeysFile)));
  }
  return faults;
}

export function firstLine(error: unknown): string {
  return String(error instanceof Error && error.message || error).split("\n")[0]!;
}
