import assert from "node:assert/strict";
import type { FilesSpec, PoolSpec } from "../../../workers/messages.ts";
import { startProcess, type Wall } from "../../../workers/process.ts";
import type { Attempt } from "./probe.ts";

/** As a URL that holds the text itself: a runner may read no tests. */
const PROBE = `data:application/typescript;base64,${
  btoa(Deno.readTextFileSync(new URL("probe.ts", import.meta.url)))
}`;
const WITHIN = 60_000;

/** Has a real runner, started like this, try all that, and answers how each attempt ended. */
export async function outcomesOf(
  attempts: readonly Attempt[],
  args: readonly string[],
  env: Record<string, string>,
  files?: FilesSpec,
): Promise<string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<string[]>();
  const spec: PoolSpec = {
    type: "probe",
    module: PROBE,
    resultMax: 2 ** 20,
    secrets: [],
    files,
    workers: 1,
    tasksPerWorker: 1,
    grace: 100,
    loadTimeout: WITHIN,
    memory: 512,
  };
  const dead = Promise.withResolvers<void>();
  const wall: Wall = startProcess({ spec, args, env, nice: 0 }, {
    heard(reports) {
      for (const report of reports) {
        if (report[0] === "done") resolve(JSON.parse(report[2]));
        else if (report[0] === "fail") reject(new Error(JSON.stringify(report[2])));
      }
    },
    died(death, lastWords) {
      reject(new Error(`${death.message} ${lastWords}`));
      dead.resolve();
    },
  });
  wall.send(["run", 1, crypto.randomUUID(), 1, WITHIN, JSON.stringify({ attempts })]);
  try {
    const outcomes = await promise;
    assert.equal(outcomes.length, attempts.length);
    return outcomes;
  } finally {
    wall.kill();
    await dead.promise;
  }
}
