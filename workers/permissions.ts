import { fileURLToPath as fromFileUrl } from "node:url";
import {
  AllowList,
  deniedTargets,
  parseAllowList,
  type PermissionContext,
  type Permissions,
  type TaskDefinition,
} from "../tasks/mod.ts";
import { configuration } from "./configuration.ts";

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

/** Read by the egress guard, in the runners of types that may use the whole network. */
const GUARD = "EGRESS_ALLOW";

/** What a runner is given: what its type asks for, less what no type may reach. */
export interface Grant extends Permissions {
  /** Where `net` is `true`: addresses that are denied all the same. All that are not public, unless said. */
  denyNet?: string[];
}

/** What a type asks of its runner, in this configuration. */
export function permissionsOf(definition: TaskDefinition, context: PermissionContext): Grant {
  const { permissions } = definition;
  const asked = typeof permissions === "function" ? permissions(context) : permissions;
  if (asked.net !== true) return asked;
  return { ...asked, denyNet: deniedTargets(parseAllowList(context.env[GUARD] ?? "") ?? AllowList.NOTHING) };
}

const RUNNER = fromFileUrl(new URL("./runner.ts", import.meta.url));
const CONFIG = configuration();
const LOCK = fromFileUrl(new URL("deno.lock", ROOT));
const OWN = new URL("tasks/", ROOT).href;

/**
 * The command line of a process that loads task files: what the type declares, the code to read, and nothing else.
 *
 * @param memory megabytes of heap a thread may use
 * @param program what it runs
 */
export function commandLine(
  permissions: Grant,
  modules: readonly string[],
  memory: number,
  program = RUNNER,
): string[] {
  const rooms = ["workers", "tasks", "queue", "client"].map((room) => fromFileUrl(new URL(room, ROOT)));
  const folders = modules.map((module) => fromFileUrl(new URL("./", module)));
  const read = [...new Set([...rooms, ...folders])];
  const variables = variablesOf(permissions);
  return [
    "run",
    "--quiet",
    "--no-prompt",
    ...versions(modules),
    ...CONFIG,
    `--v8-flags=--max-old-space-size=${memory},--enable-experimental-regexp-engine-on-excessive-backtracks`,
    allow("read", [...read, ...(permissions.read ?? [])]),
    ...network(permissions),
    ...(["write", "ffi", "sys"] as const).flatMap((kind) =>
      permissions[kind]?.length ? [allow(kind, permissions[kind])] : []
    ),
    ...(variables.length > 0 ? [allow("env", variables)] : []),
    program,
  ];
}

/** Whether a task file comes with Errand. */
export function isOwn(module: string): boolean {
  return module.startsWith(OWN);
}

/**
 * Errand's own types get the packages that were tested, and that are there since the service has started: without the
 * lock they would be chosen anew, and fetched, by whichever runner is the first; and Deno would let any runner import
 * code from a few hosts, which a secret could be sent to. The files of others may use other packages.
 */
function versions(modules: readonly string[]): string[] {
  return modules.every(isOwn) ? [`--lock=${LOCK}`, "--frozen", "--cached-only"] : ["--no-lock"];
}

/** The whole environment of a runner: a type sees the variables that it declares, and no other's secrets. */
export function environment(permissions: Permissions, env: PermissionContext["env"]): Record<string, string> {
  const names = [...ALWAYS, ...variablesOf(permissions)];
  return Object.fromEntries(names.flatMap((name) => env[name] === undefined ? [] : [[name, env[name]]]));
}

function network({ net = [], denyNet = deniedTargets(AllowList.NOTHING) }: Grant): string[] {
  if (net === true) {
    return ["--allow-net", ...(denyNet.length > 0 ? [`--deny-net=${denyNet.join(",")}`] : [])];
  }
  return net.length > 0 ? [allow("net", net)] : [];
}

function variablesOf({ net, env = [] }: Permissions): string[] {
  return net === true ? [...new Set([...env, GUARD])] : env;
}

/** A comma separates entries. None may hold one: Deno would have it doubled, and then refuses the path. */
function allow(kind: string, entries: readonly string[]): string {
  return `--allow-${kind}=${entries.join(",")}`;
}
