/** Puts the rooms together: a store, the runners, the dispatcher between them, and the routes in front. */
import type { Hono } from "hono";
import { fileURLToPath } from "node:url";
import { uuidv7 } from "uuidv7";
import type { Config } from "./config.ts";
import meta from "./deno.json" with { type: "json" };
import type { Log } from "./queue/log.ts";
import { Dispatcher } from "./queue/dispatcher.ts";
import { DiskFiles } from "./queue/files/disk.ts";
import { createMemoryStore } from "./queue/stores/memory.ts";
import { anonymous, createAdmit } from "./routes/admit.ts";
import { type AppDeps, createApp } from "./routes/app.ts";
import { deliveries, DELIVERY } from "./routes/webhooks.ts";
import { KeyRing } from "./routes/keys/ring.ts";
import { Streams } from "./routes/rate.ts";
import { Waiters } from "./routes/waiting/waiters.ts";
import { loadRegistry } from "./tasks/lib/load.ts";
import { PROMISES_OFF } from "./workers/in_process.ts";
import { probe } from "./workers/probe.ts";
import { Supervisor } from "./workers/supervisor.ts";

export interface Errand {
  readonly app: Hono;
  /** The same, for requests that come below a path: percent-encoded, without a slash at its end. */
  appAt(base: string): Hono;
  /** From now on `POST` is refused and `/readyz` says so. */
  refuse(): void;
  /** Drains, then aborts what still runs, and ends every runner. Resolves when all of it is done. */
  stop(): Promise<void>;
}

const TASKS = fileURLToPath(new URL("./tasks", import.meta.url));

/** @param folders of task files, besides those that come with it */
export async function createErrand(
  config: Config,
  log: Log = () => {},
  folders: readonly string[] = config.tasksDir ? [config.tasksDir] : [],
): Promise<Errand> {
  const { env, loadTimeout, grace, apiKeysFile } = config;
  // What was begun ends in the opposite order: at `stop()`, or here where the start fails.
  await using begun = new AsyncDisposableStack();
  const ring = apiKeysFile === undefined
    ? undefined
    : new KeyRing({ path: apiKeysFile, rate: config.rateLimit, now: Date.now, log });
  begun.defer(() => ring?.close());
  const registry = await loadRegistry({
    folders: [TASKS, ...folders],
    env,
    probe: (modules) => probe(modules, env, loadTimeout),
    log,
  });
  const webhooks = registry.get(DELIVERY)?.definition;
  const store = createMemoryStore({
    maxTasks: config.queueMax,
    maxBytes: config.queueMaxBytes,
    retentionSucceeded: config.retentionSucceeded,
    retentionFailed: config.retentionFailed,
    retentionBytes: config.retentionBytes,
    now: Date.now,
    concurrencyOf: ring && ((owner) => ring.concurrencyOf(owner) ?? config.keyConcurrency),
    followUp: webhooks && deliveries({ newId: uuidv7, now: Date.now, ...webhooks }),
  });
  begun.defer(() => store.close());
  const files = await DiskFiles.open({
    folder: `${config.dataDir}/files`,
    fileMax: config.fileMax,
    maxBytes: config.filesMaxBytes,
    retention: config.fileRetention,
    tasks: store,
    newId: uuidv7,
    now: Date.now,
    log,
  });
  begun.defer(() => files.close());
  const supervisor = new Supervisor({
    registry,
    runners: config.runners,
    env,
    grace,
    loadTimeout,
    idle: config.runnerIdle,
    resultMax: config.resultMax,
    nice: config.nice,
    files: { store: files, home: `${config.dataDir}/runs` },
    log,
  });
  const dispatcher = new Dispatcher({
    store,
    runners: supervisor,
    retry: { base: config.backoffBase, max: config.backoffMax },
    lease: config.lease,
    log,
  });
  begun.defer(() => dispatcher.stop(config.drainTimeout, grace));
  // What a task file threw may hold what is nobody's business, and /readyz asks for no key.
  const notice = (type: string, why: string) =>
    `The task type ${type} is unavailable${ring ? "; GET /v1/types says why" : `: ${why}`}`;
  const notices = config.runners === "off" ? PROMISES_OFF : [];
  for (const notice of notices) log("warn", notice);
  const drain = new AbortController();
  const deps: AppDeps = {
    store,
    files,
    registry,
    version: meta.version,
    newId: uuidv7,
    now: Date.now,
    limits: {
      body: config.bodyMax,
      jsonDepth: config.jsonDepthMax,
      jsonNodes: config.jsonNodesMax,
      bodyTimeout: config.bodyTimeout,
      streamsMax: config.streamsMax,
      batchBody: config.batchBodyMax,
      idempotencyKept: config.idempotencyKept,
    },
    egress: config.egressAllow,
    admit: ring === undefined ? anonymous : createAdmit(ring, Date.now),
    loopbackOnly: !config.allowAnonymous,
    health: {
      draining: () => drain.signal.aborted,
      problems: () => supervisor.problems(),
      broken: () => supervisor.broken(),
      notices: () => [
        ...notices,
        ...registry.values().flatMap(({ type, unavailable }) =>
          unavailable ? [notice(type, unavailable)] : []
        ),
        ...supervisor.broken().entries().map(([type, why]) => notice(type, why)),
      ],
    },
    drain: drain.signal,
    waiters: new Waiters({
      store,
      waitMax: config.waitMax,
      waitersMax: config.waitersMax,
      drain: drain.signal,
    }),
    streams: new Streams(config.streamsPerKey),
    finished: () => dispatcher.finished,
    log: (error, requestId) =>
      log("error", "An unexpected error.", {
        requestId,
        error: error instanceof Error ? error.stack : String(error),
      }),
  };
  const app = createApp(deps);
  dispatcher.start();
  const running = begun.move();
  let stopped: Promise<void> | undefined;
  return {
    app,
    appAt: (base) => createApp({ ...deps, base }),
    refuse: () => drain.abort(),
    stop() {
      drain.abort();
      return stopped ??= running.disposeAsync();
    },
  };
}
