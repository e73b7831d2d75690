import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { commandLine, isOwn } from "./permissions.ts";

const PROBING = fileURLToPath(new URL("./probing.ts", import.meta.url));
const STDOUT_MAX = 1 << 20;

/**
 * Imports task files in a process without rights, before this one does: a file that throws, hangs or exits at
 * import is found out there. As many processes as there are CPUs share the files, so that one that hangs does not
 * hold up all others. Answers, by module, why it does not load.
 *
 * @param timeout milliseconds for each file
 */
export async function probe(
  modules: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  timeout: number,
): Promise<Map<string, string>> {
  const faults = new Map<string, string>();
  // Errand's own and those of others have different command lines.
  const shares = [modules.filter(isOwn), modules.filter((module) => !isOwn(module))].flatMap((some) => {
    const lanes = Math.min(some.length, Math.max(1, navigator.hardwareConcurrency));
    return Array.from({ length: lanes }, (_, lane) => some.filter((_, i) => i % lanes === lane));
  });
  await Promise.all(shares.map((share) => probeInTurn(share, env, timeout, faults)));
  return faults;
}

async function probeInTurn(
  modules: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  timeout: number,
  faults: Map<string, string>,
): Promise<void> {
  let left = [...modules];
  while (left.length > 0) {
    const { heard, end } = await once(left, env, timeout);
    for (const { module, fault } of heard) if (fault !== undefined) faults.set(module, fault);
    left = left.slice(heard.length);
    // It fell silent at this file; the others are tried without it.
    if (left.length > 0) faults.set(left.shift()!, end);
  }
}

interface Word {
  module: string;
  fault?: string;
}

function once(
  modules: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  timeout: number,
): Promise<{ heard: Word[]; end: string }> {
  const args = commandLine({ read: [] }, modules, 512, PROBING);
  const { HOME, PATH, DENO_DIR } = env;
  const mark = crypto.randomUUID();
  const child = spawn(Deno.execPath(), [...args, mark, ...modules], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...(HOME && { HOME }), ...(PATH && { PATH }), ...(DENO_DIR && { DENO_DIR }) },
  });
  const { promise, resolve } = Promise.withResolvers<{ heard: Word[]; end: string }>();
  const heard: Word[] = [];
  let rest = "";
  let end = "It ended the process while it loaded.";
  const late = () => {
    end = `It did not load within ${timeout} ms.`;
    child.kill("SIGKILL");
  };
  let timer = setTimeout(late, timeout);
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!.slice(-STDOUT_MAX);
    for (const line of lines) {
      // A task file may print, too.
      if (!line.startsWith(mark)) continue;
      heard.push(JSON.parse(line.slice(mark.length)));
      clearTimeout(timer);
      timer = setTimeout(late, timeout);
    }
  });
  child.stderr.on("data", () => {});
  child.on("error", (error) => end = error.message);
  child.on("close", () => {
    clearTimeout(timer);
    resolve({ heard, end });
  });
  return promise;
}
