import { pathToFileURL } from "node:url";
import { isTaskDefinition } from "./define.ts";
import type { Registry, TaskType } from "./registry.ts";

const FILE = /^[a-z][a-z0-9_]*\.ts$/;

export interface LoadOptions {
  /** Folders of task files; where two have the same type, the first has it. */
  readonly folders: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Why modules do not load, found out elsewhere: a file named here is never imported. */
  readonly probe: (modules: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

/** Finds and loads the task files. A broken one makes its type unavailable, and hides no other. */
export async function loadRegistry({ folders, env, probe }: LoadOptions): Promise<Registry> {
  const modules = new Map<string, string>();
  for (const folder of folders) {
    for (const { name, isFile } of Deno.readDirSync(folder)) {
      if (!isFile || !FILE.test(name) || name === "mod.ts" || name.endsWith("_test.ts")) continue;
      const type = name.slice(0, -3).replaceAll("_", "-");
      if (!modules.has(type)) modules.set(type, pathToFileURL(`${folder}/${name}`).href);
    }
  }
  const faults = await probe([...modules.values()]);
  const types = await Promise.all(
    [...modules].map(async ([type, module]): Promise<TaskType> => {
      try {
        const fault = faults.get(module);
        if (fault !== undefined) throw new TypeError(fault);
        const { default: definition } = await import(module);
        if (!isTaskDefinition(definition)) {
          throw new TypeError("Its default export is not from defineTask().");
        }
        if (typeof definition.permissions === "function") definition.permissions({ env });
        return { type, module, definition, unavailable: undefined };
      } catch (error) {
        const why = (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
        return { type, module, definition: undefined, unavailable: why };
      }
    }),
  );
  return new Map(types.sort((a, b) => a.type < b.type ? -1 : 1).map((type) => [type.type, type]));
}
