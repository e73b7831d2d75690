/** The runners of one type: where a task is placed, and what it means when something dies. */
import type { Failure, Outcome, StopReason } from "../queue/outcome.ts";
import type { Checkpoint, Claim, Report as TaskReport, Token, Want } from "../queue/store.ts";
import { CHECKPOINT_MAX, type TaskDefinition } from "../tasks/mod.ts";
import { Breaker } from "./breaker.ts";
import type { Innocence, Order, Report } from "./messages.ts";
import type { Death, Wall, WallEar } from "./process.ts";
import { failed, released } from "./verdict.ts";

/** A runner is replaced after so many runs, or so long: what leaks, leaks no further. */
const MOST_RUNS = 1_000_000;
const MOST_RUNS_SOLO = 1_000;
const LONGEST_LIFE = 3_600_000;
/** Messages about nothing that was asked for, of one worker in a second. */
const FLOOD = 20_000;
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
  readonly checkpoints: (list: Checkpoint[]) => Promise<boolean[]>;
  readonly died: (death: Death) => void;
}

interface Run {
  readonly claim: Claim;
  readonly alone: boolean;
  readonly overdue: number;
  asked: StopReason | undefined;
  /** A checkpoint of it is on its way to the store. */
  saving: boolean;
}

class Runner {
  readonly runs = new Map<number, Run>();
  readonly born = performance.now();
  wall!: Wall;
  served = 0;
  /** A worker of it has loaded the task file: from now on runs may have begun. */
  ready = false;
  retiring = false;
  idleSince = performance.now();
  flood = { since: 0, count: 0 };
  constructor(readonly solo: boolean) {}
}

let lastKey = 0;

export class Crew {
  readonly breaker = new Breaker();
  readonly #runners = new Set<Runner>();
  readonly #places = new Map<Token, { runner: Runner; key: number }>();
  readonly #options: CrewOptions;
  readonly #flood: number;
  #running = 0;
  #alone = 0;
  #closing = false;

  constructor(options: CrewOptions) {
    this.#options = options;
    const { concurrency, tasksPerWorker } = options.definition;
    this.#flood = FLOOD * Math.ceil(concurrency / tasksPerWorker);
  }

  want(alone: boolean, now: number): Want | undefined {
    const { type, definition, cpus } = this.#options;
    if (this.#closing || this.breaker.open(now)) return undefined;
    const places = definition.concurrency - this.#running;
    // One after the other while it is uncertain whether the type runs at all.
    const free = this.breaker.doubtful ? Math.min(places, 1) : places;
    const limit = alone ? Math.min(cpus - this.#alone, free) : free;
    return limit > 0 ? { type, alone, limit } : undefined;
  }

  start(claim: Claim): void {
    const { task } = claim;
    const { definition, loadTimeout, grace } = this.#options;
    const solo = task.alone || definition.isolation !== "shared";
    const runner = this.#runnerFor(solo);
    const key = ++lastKey;
    const overdue = performance.now() + loadTimeout + task.timeout + grace + OVERDUE;
    runner.runs.set(key, { claim, alone: task.alone, overdue, asked: undefined, saving: false });
    this.#places.set(claim.token, { runner, key });
    this.#running++;
    if (task.alone) this.#alone++;
    const most = definition.isolation === "fresh" ? 1 : solo ? MOST_RUNS_SOLO : MOST_RUNS;
    if (++runner.served >= most) runner.retiring = true;
    const order: Order = ["run", key, task.id, task.attempt, task.timeout, task.input];
    if (task.checkpoint !== undefined) order.push(task.checkpoint);
    runner.wall.send(order, task);
  }

  stop(token: Token, reason: StopReason): void {
    const place = this.#places.get(token);
    if (!place) return;
    const { runner, key } = place;
    runner.runs.get(key)!.asked ??= reason;
    runner.wall.send(["stop", key, reason]);
  }

  /** Its outcome is told to nobody who would listen: the claim is no longer held. */
  abandon(token: Token): void {
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

  /** Ends all runners at once; what they still run is released. */
  close(): void {
    this.#closing = true;
    for (const runner of this.#runners) {
      this.#options.outcomes(this.#releaseAll(runner, runner.ready ? "neighbour" : "unstarted"));
      runner.wall.kill();
    }
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
    const saved: { key: number; run: Run; checkpoint: string }[] = [];
    let unasked = 0;
    for (const report of reports) {
      switch (report[0]) {
        case "done": {
          if (report[2] !== "" && !isJson(report[2], this.#options.resultMax)) {
            runner.wall.kill({ code: "protocol_violation", message: "A result that is no JSON." });
            break;
          }
          const run = this.#end(runner, report[1]);
          if (!run) unasked++;
          else {
            this.breaker.reset();
            outcomes.push({
              token: run.claim.token,
              as: "succeeded",
              result: report[2] === "" ? undefined : report[2],
            });
          }
          break;
        }
        case "fail": {
          const outcome = this.#fail(runner, report[1], report[2]);
          if (outcome) outcomes.push(outcome);
          else unasked++;
          break;
        }
        case "released":
          for (const key of report[1]) outcomes.push(...this.#release(runner, key, report[2]));
          break;
        case "progress":
        case "log": {
          unasked++;
          const token = runner.runs.get(report[1])?.claim.token;
          if (token !== undefined) told.push(taskReport(token, report));
          break;
        }
        case "checkpoint": {
          const [, key, checkpoint] = report;
          const run = runner.runs.get(key);
          if (!run) unasked++;
          else if (run.saving || !isJson(checkpoint, CHECKPOINT_MAX)) {
            runner.wall.kill({ code: "protocol_violation", message: "A checkpoint that is none." });
          } else {
            run.saving = true;
            saved.push({ key, run, checkpoint });
          }
          break;
        }
        case "condemned":
          outcomes.push(...this.#condemned(runner, report[1], report[2], report[3]));
          break;
        case "ready":
          runner.ready = true;
          break;
        default:
          unasked++;
      }
    }
    if (unasked > 0) this.#count(runner, unasked);
    if (told.length > 0) this.#options.reports(told);
    // Before the outcomes: with them, the store no longer takes any.
    if (saved.length > 0) this.#save(runner, saved);
    if (outcomes.length > 0) this.#options.outcomes(outcomes);
  }

  async #save(
    runner: Runner,
    saved: readonly { key: number; run: Run; checkpoint: string }[],
  ): Promise<void> {
    const list = saved.map(({ run, checkpoint }) => ({ token: run.claim.token, checkpoint }));
    const kept = await this.#options.checkpoints(list);
    saved.forEach(({ key, run }, i) => {
      run.saving = false;
      if (runner.runs.get(key) === run) runner.wall.send(["kept", key, kept[i]!]);
    });
  }

  /** Its agent asks for its end. Suspects are judged; whoever shared the runner besides is released. */
  #condemned(runner: Runner, code: string, message: string, suspects: number[]): Outcome[] {
    runner.retiring = true;
    const outcomes = suspects.length === 1
      ? [this.#fail(runner, suspects[0]!, { code, message, retryable: true, crash: true }) ?? []].flat()
      : suspects.flatMap((key) => this.#release(runner, key, "suspect"));
    outcomes.push(...this.#releaseAll(runner, "neighbour"));
    runner.wall.kill();
    return outcomes;
  }

  #died(runner: Runner, death: Death): void {
    const unexpected = this.#runners.delete(runner) && runner.runs.size > 0;
    const company = runner.runs.size > 1;
    const [key] = runner.runs.keys();
    const outcomes: Outcome[] = [];
    if (!runner.ready) outcomes.push(...this.#releaseAll(runner, "unstarted"));
    else if (company) outcomes.push(...this.#releaseAll(runner, "suspect"));
    else if (key !== undefined) {
      const retryable = death.code !== "protocol_violation";
      outcomes.push(this.#fail(runner, key, { ...death, retryable, crash: true })!);
    }
    if (unexpected) {
      this.#options.died(death);
      // One task that dies alone is settled by its own count; other deaths are held back here.
      if (company || !runner.ready) this.breaker.strike(death.message, performance.now());
    }
    this.#options.outcomes(outcomes);
  }

  #fail(runner: Runner, key: number, failure: Failure): Outcome | undefined {
    const run = this.#end(runner, key);
    if (!run) return undefined;
    const now = performance.now();
    if (failure.code === "handler_load_failed") this.breaker.unloadable(failure.message, now);
    else if (failure.crash) this.breaker.strike(failure.message, now);
    else this.breaker.reset();
    return failed(run.claim.token, failure, run.asked, this.#options.definition.onCrash);
  }

  #release(runner: Runner, key: number, as: Innocence): Outcome[] {
    const run = this.#end(runner, key);
    return run ? [released(run.claim.token, as, this.#options.definition.onCrash)] : [];
  }

  #releaseAll(runner: Runner, as: Innocence): Outcome[] {
    return [...runner.runs.keys()].flatMap((key) => this.#release(runner, key, as));
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

  #count(runner: Runner, messages: number): void {
    const now = performance.now();
    if (now - runner.flood.since > 1_000) runner.flood = { since: now, count: 0 };
    if ((runner.flood.count += messages) <= this.#flood) return;
    runner.wall.kill({ code: "protocol_violation", message: "Too many messages." });
  }
}

function isJson(text: string, most: number): boolean {
  if (text.length > most) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function taskReport(token: Token, report: Extract<Report, ["progress" | "log", ...unknown[]]>): TaskReport {
  if (report[0] === "log") return { token, log: [{ at: Date.now(), level: report[2], message: report[3] }] };
  const [, , current, total, message] = report;
  return {
    token,
    progress: { current, ...(total !== null && { total }), ...(message !== null && { message }) },
  };
}
