/** The settings as a program gives them: the same, by the same names in camelCase, and checked in the same way. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Config,
  ConfigError,
  configured,
  type Setting,
  type SettingName,
  SETTINGS,
  settle,
  type Values,
} from "./config.ts";
import type { Log } from "./queue/log.ts";
import { unusable } from "./places.ts";

/** Those of a program that listens and writes a log by itself; `tasks` is in place of the last. */
type NotHere = "host" | "port" | "logLevel" | "tasksDir";
const NOT_HERE: ReadonlySet<string> = new Set<NotHere>(["host", "port", "logLevel", "tasksDir"]);

/** A setting's value, or the text of it. */
type Given<Value> = Value extends number ? number | string
  : Value extends boolean ? boolean
  : Value extends string ? (string extends Value ? string | URL : Value)
  : string;

/** Numbers are milliseconds, bytes or counts; texts are as in the environment: `"30s"`, `"1MiB"`. */
export type Settings = {
  readonly [Key in Exclude<SettingName, NotHere>]?: Given<NonNullable<Values[Key]>> | undefined;
};

export interface ErrandOptions extends Settings {
  /** Folders of task files, besides those that come with Errand; where two have the same type, the first has it. */
  readonly tasks?: string | URL | readonly (string | URL)[];
  /**
   * The variables of which task types get those that they ask for; those of the process unless given. Settings are no
   * part of it: `SMTP_URL` is what `smtpUrl` says.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Told what an operator wants to know. */
  readonly log?: Log;
}

export interface Chosen {
  readonly config: Config;
  /** Folders. */
  readonly tasks: readonly string[];
  readonly log: Log | undefined;
}

const NAMES = { dataDir: "dataDir", tasks: "tasks", apiKeysFile: "apiKeysFile" };

/**
 * Checks what a program has chosen.
 *
 * @throws {ConfigError} naming every problem at once
 */
export function choose(options: ErrandOptions, cwd: string): Chosen {
  const { tasks = [], env = Deno.env.toObject(), log, ...given } = options;
  const folders = [tasks].flat().map((folder) => resolve(cwd, textOf(folder)));
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(SETTINGS, key) || NOT_HERE.has(key));
  const others = [
    ...unknown.map((key) => `${key}: is not an option of createErrand()`),
    ...folders.filter((folder) => /[\0,]/.test(folder)).map((folder) =>
      `tasks: a path with a comma: ${folder}`
    ),
    ...unusable({ tasks: folders }, NAMES),
  ];
  /** By the names of the environment, as some types ask for them. */
  const texts = new Map<string, string>();
  const read = (setting: Setting<unknown>, key: SettingName) => {
    const value = NOT_HERE.has(key) ? undefined : (given as Readonly<Record<string, unknown>>)[key];
    if (value === undefined) return undefined;
    const text = typeof value === "number" ? setting.kind.write?.(value) ?? String(value) : textOf(value);
    texts.set(setting.name, text);
    return text;
  };
  const values = settle(read, (key) => key, cwd, others);
  const faults = unusable({ dataDir: values.dataDir, apiKeysFile: values.apiKeysFile }, NAMES);
  if (faults.length > 0) throw new ConfigError(faults);
  // What a type gets by the name of a setting is what was chosen here, not what happens to be around.
  const names = new Set(Object.values(SETTINGS).map(({ name }) => name));
  const around = Object.entries(env).filter(([name]) => !names.has(name));
  const config = configured(values, Object.fromEntries([...around, ...texts]));
  return { config, tasks: folders, log };
}

function textOf(value: unknown): string {
  return value instanceof URL && value.protocol === "file:" ? fileURLToPath(value) : String(value);
}
