/** Load from outside: wrk, so that the load does not compete with the measured code inside one event loop. */
import { fileURLToPath } from "node:url";
import { z } from "zod";

const SCRIPT = fileURLToPath(new URL("./wrk.lua", import.meta.url));
const CONNECTIONS = 64;

const report = z.object({
  requests: z.int(),
  microseconds: z.int(),
  refused: z.int(),
  broken: z.int(),
});

export interface Load {
  readonly requests: number;
  /** Requests a second. */
  readonly rate: number;
}

/** Throws with a hint where wrk is missing. */
export async function requireWrk(): Promise<void> {
  try {
    await new Deno.Command("wrk", { args: ["-v"], stdout: "null", stderr: "null" }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error("wrk makes the load and is not installed. On Debian and Ubuntu: apt-get install wrk");
  }
}

/** One thread and 64 connections for some seconds. Throws unless every single request succeeded. */
export async function wrk(url: string, seconds: number, body?: unknown): Promise<Load> {
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "-s", SCRIPT, url];
  if (body !== undefined) args.push("--", JSON.stringify(body));
  const { success, stdout, stderr } = await new Deno.Command("wrk", { args }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`wrk failed: ${decode(stderr)}`);
  const line = decode(stdout).trimEnd().split("\n").at(-1)!;
  const { requests, microseconds, refused, broken } = report.parse(JSON.parse(line));
  if (refused + broken > 0) {
    throw new Error(`Of ${requests} requests to ${url}, ${refused} were refused and ${broken} broke.`);
  }
  return { requests, rate: requests / (microseconds / 1e6) };
}
