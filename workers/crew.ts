/** The runners of one type: where a task is placed, and what it means when something dies. */
import type { Failure, Outcome, StopReason } from "../queue/outcome.ts";
import type { Claim, Report as TaskReport, Want } from "../queue/store.ts";
import type { TaskDefinition } from "../tasks/mod.ts";
import { Breaker } from "./breaker.ts";
import type { Report } from "./messages.ts";
import type { Death, Wall, WallEar } from "./process.ts";

/** A runner is replaced after so many runs, or so long: what leaks, leaks no further. */
const MOST_RUNS = 1_000_000;
const MOST_RUNS_SOLO = 1_000;
const LONGEST_LIFE = 3_600_000;
/** Progress and log messages of one runner in a second. */
const FLOOD = 100_000;
/** A runner that has not answered for a run this long after its last moment lies. */
const OVERDUE = 2_000;

export interface CrewOptions {
  readonly type: string;
  readonly definition: TaskDefinition;
  readonly cpus: number;
  readonly grace: number;
  readonly loadTimeout: number;
  readonly idle: number;
  readonly resultMax: number;
  /** Builds a wall with a pool behind it. */
  readonly raise: (solo: boolean, ear: WallEar) => Wall;
  readonly outcomes: (list: Outcome[]) => void;
  readonly reports: (list: TaskReport[]) => void;
  readonly died: (death: Death) => void;
}

interface Run {
  readonly claim: Claim;
  readonly alone: boolean;
  readonly overdue: number;
}

class Runner {
  readonly runs = new Map<number, Run>();
  readonly born = performance.now();
  wall!: Wall;
  served = 0;
  retiring = false;
  idleSince = performance.now();
  flood = { since: 0, count: 0 };
  constructor(readonly solo: boolean) {}
}

let lastKey = 0;

export class Crew {
  readonly breaker = new Breaker();
  readonly #runners = new Set<Runner>();
  readonly #places = new Map<string, { runner: Runner; key: number }>();
  readonly #options: CrewOptions;
  #running = 0;
  #alone = 0;

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  wants(now: number): Want[] {
    const { type, definition, cpus } = this.#options;
    if (this.breaker.open(now)) return [];
    // One at a time while it is uncertain whether the type runs at all.
    const most = this.breaker.reason === undefined ? Infinity : 1;
    const free = Math.min(definition.concurrency - this.#running, most);
    const alone = Math.min(cpus - this.#alone, free, most);
    const wants: Want[] = [];
    if (free > 0) wants.push({ type, alone: false, limit: free });
    if (alone > 0) wants.push({ type, alone: true, limit: alone });
    return wants;
  }

  start(claim: Claim): void {
    const { task } = claim;
    const { definition, loadTimeout, grace } = this.#options;
    const solo = task.alone || definition.isolation !== "shared";
    const runner = this.#runnerFor(solo);
    const key = ++lastKey;
    const overdue = performance.now() + loadTimeout + task.timeout + grace + OVERDUE;
    runner.runs.set(key, { claim, alone: task.alone, overdue });
    this.#places.set(claim.token, { runner, key });
    this.#running++;
    if (task.alone) this.#alone++;
    const most = definition.isolation === "fresh" ? 1 : solo ? MOST_RUNS_SOLO : MOST_RUNS;
    if (++runner.served >= most) runner.retiring = true;
    runner.wall.send(["run", key, task.id, task.attempt, task.timeout, task.input]);
  }

  stop(token: string, reason: StopReason): void {
    const place = this.#places.get(token);
    place?.runner.wall.send(["stop", place.key, reason]);
  }

  /** Its outcome is told to nobody who would listen: the claim is no longer held. */
  abandon(token: string): void {
    const place = this.#places.get(token);
    place?.runner.wall.send(["abandon", place.key]);
  }

  /** Ends what is idle, old, or does not answer. Called every second. */
  look(now: number): void {
    for (const runner of this.#runners) {
      if (now - runner.born > LONGEST_LIFE) runner.retiring = true;
      if (runner.runs.size === 0) {
        if (runner.retiring || now - runner.idleSince > this.#options.idle) this.#close(runner);
      } else if (runner.runs.values().some((run) => run.overdue < now)) {
        runner.wall.kill({ code: "worker_lost", message: "The runner did not answer in time." });
      }
    }
  }

  close(): void {
    for (const runner of this.#runners) runner.wall.kill();
  }

  #runnerFor(solo: boolean): Runner {
    for (const runner of this.#runners) {
      if (runner.solo === solo && !runner.retiring && (!solo || runner.runs.size === 0)) return runner;
    }
    const runner = new Runner(solo);
    this.#runners.add(runner);
    runner.wall = this.#options.raise(solo, {
      heard: (reports) => this.#heard(runner, reports),
      died: (death) => this.#died(runner, death),
    });
    return runner;
  }

  #close(runner: Runner): void {
    this.#runners.delete(runner);
    runner.wall.close();
  }

  #heard(runner: Runner, reports: readonly Report[]): void {
    const outcomes: Outcome[] = [];
    const told: TaskReport[] = [];
    for (const report of reports) {
      switch (report[0]) {
        case "done":
          if (!this.#isJson(report[2])) {
            runner.wall.kill({ code: "protocol_violation", message: "A result that is no JSON." });
            break;
          }
          this.breaker.reset();
          this.#push(outcomes, this.#end(runner, report[1]), (token) => ({
            token,
            as: "succeeded",
            result: report[2] === "" ? undefined : report[2],
          }));
          break;
        case "fail":
          this.#push(outcomes, this.#end(runner, report[1]), (token) => this.#failed(token, report[2]));
          break;
        case "released":
          for (const key of report[1]) {
            this.#push(outcomes, this.#end(runner, key), (token) => this.#released(token, report[2]));
          }
          break;
        case "progress":
        case "log": {
          const token = runner.runs.get(report[1])?.claim.token;
          if (token !== undefined) told.push(taskReport(token, report));
          break;
        }
        case "condemned":
          this.#condemned(runner, report[1], report[2], report[3], outcomes);
      }
    }
    if (told.length > 0) {
      this.#count(runner, told.length);
      this.#options.reports(told);
    }
    if (outcomes.length > 0) this.#options.outcomes(outcomes);
  }

  /** Its agent asks for its end. Suspects are judged; whoever shared the runner besides is released. */
  #condemned(runner: Runner, code: string, message: string, suspects: number[], outcomes: Outcome[]): void {
    runner.retiring = true;
    for (const key of suspects) {
      const judged = (token: string) =>
        suspects.length === 1
          ? this.#failed(token, { code, message, retryable: true, crash: true })
          : this.#released(token, true);
      this.#push(outcomes, this.#end(runner, key), judged);
    }
    for (const key of [...runner.runs.keys()]) {
      this.#push(outcomes, this.#end(runner, key), (token) => this.#released(token, false));
    }
    runner.wall.kill();
  }

  #died(runner: Runner, death: Death): void {
    const expected = !this.#runners.delete(runner) || runner.runs.size === 0;
    const keys = [...runner.runs.keys()];
    const outcomes: Outcome[] = [];
    for (const key of keys) {
      this.#push(
        outcomes,
        this.#end(runner, key),
        (token) =>
          keys.length === 1
            ? this.#failed(token, { ...death, retryable: death.code !== "protocol_violation", crash: true })
            : this.#released(token, true),
      );
    }
    if (!expected) {
      this.#options.died(death);
      // One task that dies alone is settled by its own count; runners that die in company are held back here.
      if (keys.length > 1) this.breaker.strike(death.message, performance.now());
    }
    this.#options.outcomes(outcomes);
  }

  #end(runner: Runner, key: number): Run | undefined {
    const run = runner.runs.get(key);
    // Late, forged or twice: it is nobody's.
    if (!run) return undefined;
    runner.runs.delete(key);
    this.#places.delete(run.claim.token);
    this.#running--;
    if (run.alone) this.#alone--;
    if (runner.runs.size === 0) {
      runner.idleSince = performance.now();
      if (runner.retiring) this.#close(runner);
    }
    return run;
  }

  #push(outcomes: Outcome[], run: Run | undefined, outcome: (token: string) => Outcome): void {
    if (run) outcomes.push(outcome(run.claim.token));
  }

  #failed(token: string, failure: Failure): Outcome {
    const now = performance.now();
    if (failure.code === "handler_load_failed") this.breaker.unloadable(failure.message, now);
    else if (failure.crash) this.breaker.strike(failure.message, now);
    else this.breaker.reset();
    const guess = failure.crash || failure.code === "timeout";
    const never = guess && this.#options.definition.onCrash === "fail";
    return { token, as: "failed", failure: never ? { ...failure, retryable: false } : failure };
  }

  /** It runs again without paying, unless it must never be done twice by guess. */
  #released(token: string, alone: boolean): Outcome {
    if (this.#options.definition.onCrash === "retry") return { token, as: "released", alone };
    const message = "Its worker died; whether the work was done is unknown.";
    return { token, as: "failed", failure: { code: "outcome_unknown", message, retryable: false } };
  }

  #isJson(text: string): boolean {
    if (text === "") return true;
    if (text.length > this.#options.resultMax) return false;
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  }

  #count(runner: Runner, messages: number): void {
    const now = performance.now();
    if (now - runner.flood.since > 1_000) runner.flood = { since: now, count: 0 };
    if ((runner.flood.count += messages) <= FLOOD) return;
    runner.wall.kill({ code: "protocol_violation", message: "Too many messages." });
  }
}

function taskReport(token: string, report: Extract<Report, ["progress" | "log", ...unknown[]]>): TaskReport {
  if (report[0] === "log") return { token, log: [{ at: Date.now(), level: report[2], message: report[3] }] };
  const [, , current, total, message] = report;
  return {
    token,
    progress: { current, ...(total !== null && { total }), ...(message !== null && { message }) },
  };
}
