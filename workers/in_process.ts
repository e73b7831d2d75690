import type { PoolSpec, Report } from "./messages.ts";
import { Pool } from "./pool.ts";
import type { Death, Wall, WallEar } from "./process.ts";

/** What is not kept where the pool is hosted in this process, for places without subprocesses. */
export const PROMISES_OFF = [
  "RUNNERS=off: a stuck thread cannot be stopped, and keeps its core.",
  "RUNNERS=off: a task that runs out of memory ends the service.",
  "RUNNERS=off: permissions, environment and memory are not kept apart between types.",
];

/** The same pool without a process around it. */
export function startInProcess(spec: PoolSpec, ear: WallEar): Wall {
  let closed = false;
  let heard: Report[] = [];
  const pool = new Pool(spec, (report) => {
    // There is no process to condemn; its pool has taken the worker out already.
    if (report[0] === "condemned") return;
    if (heard.push(report) === 1) {
      setImmediate(() => {
        const reports = heard;
        heard = [];
        if (!closed) ear.heard(reports);
      });
    }
  });
  const end = (death: Death = { code: "worker_lost", message: "The workers were ended." }) => {
    if (closed) return;
    closed = true;
    pool.close();
    ear.died(death);
  };
  return {
    send: (order) => closed || pool.take(order),
    kill: end,
    close: () => end(),
  };
}
