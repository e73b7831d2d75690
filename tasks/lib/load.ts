import { pathToFileURL } from "node:url";
import { isTaskDefinition, permissionsIn } from "./define.ts";
import type { Registry, TaskType } from "./registry.ts";

const FILE = /^[a-z][a-z0-9_]*\.ts$/;
/** An absolute path or a `file:` URL; what follows the last slash is its file's name. */
const PATH = /(?:file:\/\/|(?<![\w:/.]))\/(?:[^\s/"'`()<>,;]+\/)*([^\s/"'`()<>,;]+)/g;

export interface LoadOptions {
  /** Folders of task files; where two have the same type, the first has it. */
  readonly folders: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Why modules do not load, found out elsewhere: a file named here is never imported. */
  readonly probe: (modules: readonly string[]) => Promise<ReadonlyMap<string, string>>;
  /** For the operator: files that are ignored, and in full why types are unavailable. */
  readonly log?: (level: "warn" | "error", message: string) => void;
}

/** Finds and loads the task files. A broken one makes its type unavailable, and hides no other. */
export async function loadRegistry({ folders, env, probe, log = () => {} }: LoadOptions): Promise<Registry> {
  const modules = find(folders, (note) => log("warn", note));
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
        // Asked once: from here on they are what was checked.
        const permissions = permissionsIn(definition, { env });
        return { type, module, definition: { ...definition, permissions }, unavailable: undefined };
      } catch (error) {
        const why = reasonOf(error);
        log("error", `The task type ${type} is unavailable: ${why}`);
        const line = why.split("\n")[0]!.replace(PATH, "$1");
        return { type, module, definition: undefined, unavailable: line };
      }
    }),
  );
  return new Map(types.sort((a, b) => a.type < b.type ? -1 : 1).map((type) => [type.type, type]));
}

/** The modules by type. Task files that are none of them are noted. */
function find(folders: readonly string[], note: (note: string) => void): Map<string, string> {
  const modules = new Map<string, string>();
  for (const folder of new Set(folders)) {
    for (const { name, isFile } of Deno.readDirSync(folder)) {
      if (!isFile || !name.endsWith(".ts") || name === "mod.ts" || name.endsWith("_test.ts")) continue;
      const file = `${folder}/${name}`;
      const type = name.slice(0, -3).replaceAll("_", "-");
      if (!FILE.test(name)) note(`${file} is ignored: the name of a task file is like send_email.ts.`);
      else if (modules.has(type)) note(`${file} is ignored: there is a task type ${type} already.`);
      else modules.set(type, pathToFileURL(file).href);
    }
  }
  return modules;
}

/** Never empty. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.trim() || "It failed without a message.";
}
