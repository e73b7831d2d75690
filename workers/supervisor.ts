/**
 * In the API process: owns the runners of all types. It starts them with a type's first task, from the running
 * executable, ends them when they are idle or old, and kills them when they do not obey.
 */
import type { Files } from "../queue/files/files.ts";
import type { Log } from "../queue/log.ts";
import type { Ear, Runners, StopReason } from "../queue/outcome.ts";
import type { Claim, Token, Want } from "../queue/store.ts";
import type { Registry } from "../tasks/lib/registry.ts";
import type { TaskDefinition } from "../tasks/mod.ts";
import { Crew } from "./crew.ts";
import { FileWall } from "./file_wall.ts";
import { startInProcess } from "./in_process.ts";
import type { PoolSpec } from "./messages.ts";
import { commandLine, environment, type Grant, permissionsOf } from "./permissions.ts";
import { startProcess, type Wall, type WallEar } from "./process.ts";
import type { RunFolder } from "./run_folder.ts";
import { createScrub } from "./scrub.ts";

export interface SupervisorOptions {
  readonly registry: Registry;
  readonly runners: "on" | "off";
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds from the abort signal to the worker's end. */
  readonly grace: number;
  /** Milliseconds until a task file must be loaded. */
  readonly loadTimeout: number;
  /** Milliseconds an idle runner is kept. */
  readonly idle: number;
  /** Characters of a result at most. */
  readonly resultMax: number;
  readonly nice: number;
  /** Where files are kept, and the folder of those that runners have in hand, which is emptied. */
  readonly files?: { readonly store: Files; readonly home: string };
  readonly log?: Log;
}

const LOOK_EVERY = 1_000;

export class Supervisor implements Runners {
  readonly #crews = new Map<string, Crew>();
  /** Which crew has a claim. */
  readonly #options: SupervisorOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #tokens = new Map<Token, Crew>();
  #ear!: Ear;
  /** Runners that have not died yet, and who waits for their end. */
  #walls = 0;
  #allGone = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
    if (options.files) empty(options.files.home);
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY);
    Deno.unrefTimer(this.#timer);
  }

  connect(ear: Ear): void {
    this.#ear = ear;
    for (const { type, module, definition } of this.#options.registry.values()) {
      if (definition) this.#crews.set(type, this.#crew(type, module, definition));
    }
  }

  wants(alone: boolean): Want[] {
    const now = performance.now();
    const wants: Want[] = [];
    for (const crew of this.#crews.values()) {
      const want = crew.want(alone, now);
      if (want) wants.push(want);
    }
    return wants;
  }

  start(claims: readonly Claim[]): void {
    for (const claim of claims) {
      // Only types of a crew are wanted.
      const crew = this.#crews.get(claim.task.type)!;
      this.#tokens.set(claim.token, crew);
      crew.start(claim);
    }
  }

  stop(token: Token, reason: StopReason): void {
    this.#tokens.get(token)?.stop(token, reason);
  }

  abandon(token: Token): void {
    this.#tokens.get(token)?.abandon(token);
  }

  /** Why types do not load, by type. They are held back, and concern nobody who does not use them. */
  broken(): ReadonlyMap<string, string> {
    const broken = [...this.#crews].filter(([, { breaker }]) => breaker.broken);
    return new Map(broken.map(([type, { breaker }]) => [type, breaker.reason ?? "It does not load."]));
  }

  /** Types whose runners die again and again, each in a line; empty when all is well. */
  problems(): string[] {
    const now = performance.now();
    return [...this.#crews].flatMap(([type, { breaker }]) =>
      breaker.open(now) && !breaker.broken
        ? [`${type}: held back for ${Math.ceil(breaker.remaining(now))} ms: ${breaker.reason}`]
        : []
    );
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const crew of this.#crews.values()) crew.close();
    if (this.#walls === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#allGone = resolve;
    await promise;
  }

  #crew(type: string, module: string, definition: TaskDefinition): Crew {
    const { runners, env, grace, loadTimeout, idle, resultMax, nice, files, log } = this.#options;
    const cpus = Math.max(1, navigator.hardwareConcurrency);
    const permissions = permissionsOf(definition, { env });
    const argsFor = (granted: Grant) => commandLine(granted, [module], definition.memory);
    const args = argsFor(permissions);
    const variables = environment(permissions, env);
    const workers = Math.ceil(definition.concurrency / definition.tasksPerWorker);
    const base = { type, module, resultMax, secrets: permissions.env ?? [], grace, loadTimeout };
    const shared: PoolSpec = {
      ...base,
      memory: definition.memory,
      workers,
      tasksPerWorker: definition.tasksPerWorker,
    };
    const solo: PoolSpec = { ...shared, workers: 1, tasksPerWorker: 1 };
    const scrub = createScrub(base.secrets.map((name) => env[name]));
    let lastWords: string | undefined;
    const start = (spec: PoolSpec, args: readonly string[], ear: WallEar): Wall =>
      runners === "off" ? startInProcess(spec, ear) : startProcess({ spec, args, env: variables, nice }, ear);
    return new Crew({
      type,
      definition,
      cpus,
      grace,
      loadTimeout,
      idle,
      resultMax,
      raise: (alone, ear) => {
        const spec = alone ? solo : shared;
        const counting: WallEar = {
          heard: (reports) => ear.heard(reports),
          died: (death, words) => {
            lastWords = words && scrub.stack(words);
            // Which has the crew log it at once, where it is worth a line.
            ear.died(death);
            if (--this.#walls === 0) this.#allGone();
          },
        };
        this.#walls++;
        if (!files || !definition.files) return start(spec, args, counting);
        const raise = ({ path, rights }: RunFolder, ear: WallEar) => {
          const max = files.store.fileMax;
          return start({ ...spec, files: { folder: path, max } }, argsFor(sum(permissions, rights)), ear);
        };
        return new FileWall({ files: files.store, home: files.home, raise }, counting);
      },
      outcomes: (list) => {
        for (const { token } of list) this.#tokens.delete(token);
        this.#ear.outcomes(list);
        this.#ear.room();
      },
      reports: (list) => this.#ear.reports(list),
      checkpoints: (list) => this.#ear.checkpoints(list),
      died: (death) => log?.("warn", "A runner died.", { type, ...death, lastWords }),
    });
  }

  #look(): void {
    const now = performance.now();
    for (const crew of this.#crews.values()) crew.look(now);
    // A breaker may have closed.
    this.#ear.room();
  }
}

function sum(permissions: Grant, { read, write }: RunFolder["rights"]): Grant {
  return {
    ...permissions,
    read: [...permissions.read ?? [], ...read],
    write: [...permissions.write ?? [], ...write],
  };
}

/** Of what a service that was killed has left behind. */
function empty(folder: string): void {
  try {
    Deno.removeSync(folder, { recursive: true });
  } catch { /* There is none, or none that could be removed: new folders have new names. */ }
}
