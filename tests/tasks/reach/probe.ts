/**
 * In place of a type's handler: tries to get at things, in every way that there is, and says how each way ended:
 * `"reached"`, `"denied"` by the runtime, or what else came of it. It is given as text to a real runner, so it may
 * import only what task files may.
 */
import { defineTask } from "errand";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";

/** By name, with what to try it on. */
const WAYS: Readonly<Record<string, (target: string) => unknown>> = {
  // Another host: `name:port`.
  "connect": async (target) => (await Deno.connect(hostOf(target))).close(),
  "connect-tls": async (target) => (await Deno.connectTls(hostOf(target))).close(),
  "fetch": async (target) => await (await fetch(`http://${target}/`)).body?.cancel(),
  "fetch-by-proxy": async (target) => {
    using client = Deno.createHttpClient({ proxy: { url: `http://${target}` } });
    const options = { client } as RequestInit;
    await (await fetch("http://example.com/", options)).body?.cancel();
  },
  "node-connect": (target) =>
    new Promise<void>((resolve, reject) => {
      const { hostname: host, port } = hostOf(target);
      const socket = connect({ host, port }, () => resolve(socket.destroy() as unknown as void));
      socket.on("error", reject);
    }),
  "web-socket": (target) =>
    new Promise<void>((resolve, reject) => {
      const socket = new WebSocket(`ws://${target}/`);
      // Who is let through finds no web socket there, which is told without a reason.
      socket.onerror = () => reject(new Error("no web socket"));
      socket.onopen = () => resolve(socket.close());
    }),
  "listen": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  "import-remote": (target) => import(target),

  // The environment: a variable's name.
  "env": (name) => {
    if (Deno.env.get(name) === undefined) throw new Error("not set");
  },
  "env-of-node": (name) => {
    if (process.env[name] === undefined) throw new Error("not set");
  },
  "env-all": () => void Deno.env.toObject(),
  "proc-environ": () => Deno.readTextFile("/proc/self/environ"),
  "proc-parent-environ": () => Deno.readTextFile(`/proc/${Deno.ppid}/environ`),

  // The disk: a path.
  "read": (path) => Deno.readTextFile(path),
  "read-of-node": (path) => void readFileSync(path),
  "read-by-import": (path) => import(`file://${path}`, { with: { type: "text" } }),
  "read-by-fetch": async (path) => await (await fetch(`file://${path}`)).text(),
  "read-by-worker": (path) =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(`file://${path}`, { type: "module" });
      worker.onmessage = () => resolve();
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message));
      };
    }),
  "stat": (path) => Deno.stat(path),
  "list": async (path) => {
    for await (const _ of Deno.readDir(path)) return;
  },
  "database": (path) => new DatabaseSync(path).close(),
  "write": (path) => Deno.writeTextFile(path, "reached"),
  "write-of-node": (path) => writeFileSync(path, "reached"),
  "make-folder": (path) => Deno.mkdir(path),
  "symlink": (path) => Deno.symlink("/etc/passwd", path),
  "temporary": () => Deno.makeTempFile(),

  // Programs, and processes.
  "run": (program) => new Deno.Command(program).output(),
  "run-of-node": (program) => void execFileSync(program),
  "kill-parent": () => Deno.kill(Deno.ppid, "SIGCONT"),

  // Native code: the path of a library.
  "dlopen": (path) => Deno.dlopen(path, {}).close(),
  "dlopen-of-node": (path) => createRequire("file:///x.js")(path),
};

const attempt = z.strictObject({ way: z.string(), target: z.string() });
export type Attempt = z.output<typeof attempt>;

export default defineTask({
  input: z.strictObject({ attempts: z.array(attempt) }),
  result: z.array(z.string()),
  async run({ attempts }) {
    const outcomes: string[] = [];
    for (const { way, target } of attempts) outcomes.push(await outcomeOf(() => WAYS[way]!(target)));
    return outcomes;
  },
});

async function outcomeOf(doing: () => unknown): Promise<string> {
  try {
    await doing();
    return "reached";
  } catch (error) {
    return isDenied(error) ? "denied" : String(error);
  }
}

/** `fetch` tells in its cause, `import` in words alone, and node's sockets as the system would. */
function isDenied(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof Deno.errors.NotCapable ||
    /Requires \w+ access to|--cached-only is specified|getaddrinfo EPERM/.test(error.message) ||
    isDenied(error.cause);
}

function hostOf(target: string): { hostname: string; port: number } {
  const [, hostname, port] = /^(.*):(\d+)$/.exec(target)!;
  return { hostname: hostname!.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}
