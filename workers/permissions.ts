import { fileURLToPath as fromFileUrl } from "node:url";
import type { PermissionContext, Permissions, TaskDefinition } from "../tasks/mod.ts";

const ROOT = new URL("../", import.meta.url);
/** What a runner process needs of the environment to be a process at all. */
const ALWAYS = [
  "HOME",
  "PATH",
  "DENO_DIR",
  "TMPDIR",
  "TZ",
  "LANG",
  "SSL_CERT_FILE",
  "DENO_CERT",
  "DENO_TLS_CA_STORE",
];

/** What a type asks of its runner, in this configuration. */
export function permissionsOf(definition: TaskDefinition, context: PermissionContext): Permissions {
  const { permissions } = definition;
  return typeof permissions === "function" ? permissions(context) : permissions;
}

const RUNNER = fromFileUrl(new URL("./runner.ts", import.meta.url));

/**
 * The command line of a process that loads task files: what the type declares, the code to read, and nothing else.
 *
 * @param memory megabytes of heap a thread may use
 * @param program what it runs
 */
export function commandLine(
  permissions: Permissions,
  modules: readonly string[],
  memory: number,
  program = RUNNER,
): string[] {
  const rooms = ["workers", "tasks", "queue", "mod.ts"].map((room) => fromFileUrl(new URL(room, ROOT)));
  const folders = modules.map((module) => fromFileUrl(new URL("./", module)));
  const read = [...new Set([...rooms, ...folders])];
  return [
    "run",
    "--quiet",
    "--no-prompt",
    "--no-lock",
    `--config=${fromFileUrl(new URL("deno.json", ROOT))}`,
    `--v8-flags=--max-old-space-size=${memory},--enable-experimental-regexp-engine-on-excessive-backtracks`,
    allow("read", [...read, ...(permissions.read ?? [])]),
    ...(permissions.net === true
      ? ["--allow-net"]
      : permissions.net?.length
      ? [allow("net", permissions.net)]
      : []),
    ...(["env", "write", "ffi", "sys"] as const).flatMap((kind) =>
      permissions[kind]?.length ? [allow(kind, permissions[kind])] : []
    ),
    program,
  ];
}

/** The whole environment of a runner: a type sees the variables that it declares, and no other's secrets. */
export function environment(permissions: Permissions, env: PermissionContext["env"]): Record<string, string> {
  const names = [...ALWAYS, ...(permissions.env ?? [])];
  return Object.fromEntries(names.flatMap((name) => env[name] === undefined ? [] : [[name, env[name]]]));
}

/** A comma separates entries. None may hold one: Deno would have it doubled, and then refuses the path. */
function allow(kind: string, entries: readonly string[]): string {
  return `--allow-${kind}=${entries.join(",")}`;
}
