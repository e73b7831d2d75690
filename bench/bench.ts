/**
 * `deno task bench`: measures Errand against a ceiling on the same machine, and prints a table for `bench/README.md`.
 *
 *     deno task bench [--only rates,sleeps] [--rounds 5] [--seconds 5] [--retained 1000000]
 */
import { parseArgs } from "node:util";
import { readers, waiters } from "./holding.ts";
import { requireWrk } from "./load.ts";
import { type Effort, firstTask, latency, rates, retained, sleeps } from "./measures.ts";
import { type Row, table } from "./report.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
    retained: { type: "string" },
  },
});
const effort: Effort = { rounds: Math.max(3, Number(values.rounds)), seconds: Number(values.seconds) };
const kept = Number(values.retained ?? 0);

const measures: Record<string, () => Promise<Row[]>> = {
  rates: () => rates(effort),
  sleeps,
  latency,
  first: firstTask,
  readers: () => readers(),
  waiters: () => waiters(),
  ...(kept > 0 ? { retained: () => retained(kept, effort) } : {}),
};
const chosen = values.only?.split(",") ?? Object.keys(measures);

const [load] = Deno.loadavg();
const rows: Row[] = [];
let failed = false;
try {
  const unknown = chosen.filter((name) => !Object.hasOwn(measures, name));
  if (unknown.length > 0) {
    throw new Error(`There is no measure ${unknown}; there is ${Object.keys(measures)}.`);
  }
  await requireWrk();
  for (const name of chosen) {
    console.error(`measuring: ${name} …`);
    // One that fails is told, and keeps none of the others from being measured.
    await measures[name]!().then((found) => rows.push(...found), (error) => {
      failed = true;
      console.error(`${name}: ${reason(error)}`);
    });
  }
} catch (error) {
  failed = true;
  console.error(reason(error));
}
if (rows.length > 0) console.log(table(rows, load!));
Deno.exit(failed ? 1 : 0);

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${reason(error.cause)}`;
}
