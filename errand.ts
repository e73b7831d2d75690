/** Puts the rooms together: a store, the runners, the dispatcher between them, and the routes in front. */
import type { Hono } from "hono";
import { fileURLToPath } from "node:url";
import { uuidv7 } from "uuidv7";
import type { Config } from "./config.ts";
import type { Log } from "./queue/log.ts";
import { Dispatcher } from "./queue/dispatcher.ts";
import { createMemoryStore } from "./queue/stores/memory.ts";
import { createApp } from "./routes/app.ts";
import { loadRegistry } from "./tasks/lib/load.ts";
import { PROMISES_OFF } from "./workers/in_process.ts";
import { probe } from "./workers/probe.ts";
import { Supervisor } from "./workers/supervisor.ts";

export interface Errand {
  readonly app: Hono;
  /** From now on `POST` is refused and `/readyz` says so. */
  refuse(): void;
  /** Drains, then aborts what still runs, and ends every runner. Resolves when all of it is done. */
  stop(): Promise<void>;
}

const TASKS = fileURLToPath(new URL("./tasks", import.meta.url));

export async function createErrand(config: Config, log: Log = () => {}): Promise<Errand> {
  const { env, loadTimeout, grace } = config;
  const registry = await loadRegistry({
    folders: config.tasksDir ? [TASKS, config.tasksDir] : [TASKS],
    env,
    probe: (modules) => probe(modules, env, loadTimeout),
    log,
  });
  const store = createMemoryStore({
    maxTasks: config.queueMax,
    maxBytes: config.queueMaxBytes,
    retentionSucceeded: config.retentionSucceeded,
    retentionFailed: config.retentionFailed,
    retentionBytes: config.retentionBytes,
    now: Date.now,
  });
  const supervisor = new Supervisor({
    registry,
    runners: config.runners,
    env,
    grace,
    loadTimeout,
    idle: config.runnerIdle,
    resultMax: config.resultMax,
    nice: config.nice,
    log,
  });
  const dispatcher = new Dispatcher({
    store,
    runners: supervisor,
    retry: { base: config.backoffBase, max: config.backoffMax },
    lease: config.lease,
    log,
  });
  const notices = config.runners === "off" ? PROMISES_OFF : [];
  for (const notice of notices) log("warn", notice);
  let draining = false;
  const app = createApp({
    store,
    registry,
    newId: uuidv7,
    now: Date.now,
    limits: {
      body: config.bodyMax,
      jsonDepth: config.jsonDepthMax,
      jsonNodes: config.jsonNodesMax,
      bodyTimeout: config.bodyTimeout,
    },
    health: {
      draining: () => draining,
      problems: () => supervisor.problems(),
      notices: () => [
        ...notices,
        ...registry.values().flatMap(({ type, unavailable }) =>
          unavailable ? [`The task type ${type} is unavailable: ${unavailable}`] : []
        ),
      ],
    },
    finished: () => dispatcher.finished,
    log: (error, requestId) =>
      log("error", "An unexpected error.", {
        requestId,
        error: error instanceof Error ? error.stack : String(error),
      }),
  });
  dispatcher.start();
  return {
    app,
    refuse: () => draining = true,
    async stop() {
      draining = true;
      await dispatcher.stop(config.drainTimeout, grace);
      await store.close();
    },
  };
}
