import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import os from "node:os";
import type { Task } from "../queue/task.ts";
import { Frames } from "./frames.ts";
import {
  decode,
  FROM_RUNNER,
  type Order,
  Outbox,
  type PoolSpec,
  ProtocolViolation,
  type Report,
} from "./messages.ts";

const PING_EVERY = 1_000;
const PINGS_MISSED = 3;
const STDERR_KEPT = 4_096;
const LAST_WORDS_MAX = 500;
/** Orders and reports of one frame, besides a result. */
const FRAME_MAX = 1 << 23;
/** Last words of V8, and of what is below it. */
const OUT_OF_MEMORY = /out of memory|\bOOM\b|[Aa]llocation .*failed/;

/** How a runner ended. */
export interface Death {
  readonly code: "out_of_memory" | "worker_lost" | "worker_exited" | "protocol_violation";
  readonly message: string;
  readonly details?: Record<string, unknown>;
}

/** One side of a wall with a pool behind it; a process, or (RUNNERS=off) this one. */
export interface Wall {
  /**
   * Collected, and sent in a list.
   *
   * @param task which one a `run` is of, for walls that need to know more than goes through
   */
  send(order: Order, task?: Task): void;
  /** At once and without mercy; `died` follows. */
  kill(death?: Death): void;
  /** It has nothing to do and shall end. */
  close(): void;
}

export interface WallEar {
  heard(reports: readonly Report[]): void;
  /**
   * Called once, whatever the cause.
   *
   * @param lastWords what it wrote last; for the operator, and never for clients
   */
  died(death: Death, lastWords?: string): void;
}

export interface ProcessOptions {
  readonly spec: PoolSpec;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
  /** 0 … 19: how far runners stand back behind the API when CPUs are short. */
  readonly nice: number;
}

/** Starts a runner process: it runs from the running executable, in a group of its own. */
export function startProcess({ spec, args, env, nice }: ProcessOptions, ear: WallEar): Wall {
  let child: ChildProcess;
  try {
    child = spawn(Deno.execPath(), [...args], {
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      env,
      detached: true,
    });
  } catch (error) {
    return stillborn(error, ear);
  }
  const socket = child.stdio[3] as Socket;
  let cause: Death | undefined;
  let stderr = "";
  let missed = 0;
  let dead = false;
  let late: ReturnType<typeof setTimeout> | undefined;

  const kill = (death?: Death) => {
    cause ??= death;
    child.kill("SIGKILL");
  };
  const end = (death: Death) => {
    if (dead) return;
    dead = true;
    clearInterval(pings);
    clearTimeout(late);
    socket.destroy();
    ear.died(cause ?? death, lastWords(stderr));
  };
  const violated = (why: string) => kill({ code: "protocol_violation", message: why });
  const frames = new Frames(socket, FRAME_MAX + 4 * spec.resultMax, (text) => {
    if (cause) return;
    try {
      const reports = decode<Report>(text, FROM_RUNNER);
      missed = 0;
      ear.heard(reports);
    } catch (error) {
      if (!(error instanceof ProtocolViolation)) throw error;
      violated(error.message);
    }
  }, violated);
  const outbox = new Outbox<Order>((text) => {
    if (!dead) frames.send(text);
  });
  const pings = setInterval(() => {
    if (missed++ >= PINGS_MISSED) kill({ code: "worker_lost", message: "The runner no longer answered." });
    else outbox.post(["ping"]);
  }, PING_EVERY);

  // A stopped or dying runner leaves a broken pipe; its exit says all there is to say.
  socket.on("error", () => {});
  child.on("error", (error) => end(notStarted(error)));
  child.stdout?.on("data", () => {});
  child.stderr?.on("data", (chunk) => stderr = (stderr + chunk).slice(-STDERR_KEPT));
  // `close` comes after the streams are read to their end; a grandchild may keep them open, so `exit` has a say too.
  child.on("exit", (code, signal) => late = setTimeout(() => end(deathOf(code, signal, stderr)), 5));
  child.on("close", (code, signal) => end(deathOf(code, signal, stderr)));
  try {
    if (child.pid && nice > 0) os.setPriority(child.pid, nice);
  } catch { /* It has died already, which its exit tells. */ }
  outbox.post(["init", spec]);

  return {
    send: (order) => outbox.post(order),
    kill,
    close: () => socket.end(),
  };
}

/** The system has no room for one more process, or the executable is gone. */
function stillborn(error: unknown, ear: WallEar): Wall {
  setImmediate(() => ear.died(notStarted(error)));
  return { send() {}, kill() {}, close() {} };
}

function notStarted(error: unknown): Death {
  const why = error instanceof Error ? error.message : String(error);
  return { code: "worker_lost", message: `The runner did not start: ${why}` };
}

/** The line that says what went wrong, where there is one, as stack traces follow it; else the last. */
function lastWords(stderr: string): string | undefined {
  const lines = stderr.trim().split("\n");
  const line = lines.findLast((line) => /^\W*(?:error|fatal)/i.test(line)) ?? lines.at(-1);
  return line?.slice(0, LAST_WORDS_MAX) || undefined;
}

function deathOf(code: number | null, signal: string | null, stderr: string): Death {
  const fatal = signal === "SIGABRT" || signal === "SIGILL";
  if (signal === "SIGTRAP" || code === 133 || (fatal && OUT_OF_MEMORY.test(stderr))) {
    return { code: "out_of_memory", message: "The runner ran out of memory." };
  }
  if (signal) {
    return { code: "worker_lost", message: `The runner was ended by ${signal}.`, details: { signal } };
  }
  return {
    code: "worker_exited",
    message: `The runner ended with code ${code}.`,
    details: { exitCode: code },
  };
}
