/**
 * The program. `main.ts start` listens by itself (`deno task start`), `main.ts keys` changes the key file; without a
 * command it is the module that `deno serve main.ts` serves.
 */
import { bracketed, type Config, ConfigError, helpText, loadConfig } from "./config.ts";
import { createErrand, type Errand } from "./errand.ts";
import { keys, KeysError } from "./keys.ts";
import { createLog } from "./log.ts";
import type { Log } from "./queue/log.ts";
import { firstLine, unusable } from "./places.ts";

/** Responses that are under way get this long after the last task. */
const LAST_WORDS = 1_000;
const SERVE_AGAIN_AFTER = 100;
/** Signals that come closer together are one: Ctrl-C reaches this process by its group and by `deno task` as well. */
const SAME_SIGNAL = 1_000;
const NAMES = { dataDir: "DATA_DIR", tasks: "TASKS_DIR", apiKeysFile: "API_KEYS_FILE" };

const [command, ...rest] = Deno.args;
const own = command !== undefined;
if (command === "keys") editKeys(rest);
if (own && (rest.includes("--help") || command === "--help")) {
  console.log(helpText());
  Deno.exit(0);
}
if (own && command !== "start") fail(`Unknown command: ${command}. There is: start [--help], keys [--help].`);

const config = checked();
const log = createLog(config.logLevel);
guard(log);
const errand = await start(config, log);

export default own ? undefined : { fetch: errand.app.fetch };

/** Whatever goes wrong here ends the program: the guard must not keep alive what never began. */
async function start(config: Config, log: Log): Promise<Errand> {
  try {
    const errand = await createErrand(config, log);
    stopOnSignal(errand, own ? listen(config, errand, log) : undefined, log);
    return errand;
  } catch (error) {
    return fail(`The start failed: ${firstLine(error)}`);
  }
}

function editKeys(args: string[]): never {
  try {
    const { apiKeysFile: path } = loadConfig(Deno.env.toObject(), Deno.cwd());
    keys(args, { path, now: Date.now(), print: console.log, note: console.error });
  } catch (error) {
    if (error instanceof ConfigError) fail(...error.problems);
    if (error instanceof KeysError) fail(error.message);
    throw error;
  }
  Deno.exit(0);
}

/** The configuration, or every problem with it in a line each. */
function checked(): Config {
  try {
    const config = loadConfig(Deno.env.toObject(), Deno.cwd());
    const { dataDir, tasksDir, apiKeysFile } = config;
    const faults = unusable({ dataDir, tasks: tasksDir ? [tasksDir] : [], apiKeysFile }, NAMES);
    if (faults.length > 0) throw new ConfigError(faults);
    return config;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return fail(...error.problems);
  }
}

function fail(...lines: string[]): never {
  for (const line of lines) console.error(`errand: ${line}`);
  Deno.exit(1);
}

/** A bug somewhere must not end the service: it is logged, and the service goes on. */
function guard(log: Log): void {
  const tell = (event: Event, error: unknown) => {
    event.preventDefault();
    log("error", "An uncaught error.", { error: error instanceof Error ? error.stack : String(error) });
  };
  addEventListener("unhandledrejection", (event) => tell(event, event.reason));
  addEventListener("error", (event) => tell(event, event.error));
}

interface Server {
  shutdown(): Promise<void>;
}

function listen({ host, port }: Config, { app }: Errand, log: Log): Server {
  let server: Deno.HttpServer;
  let stopping = false;
  const serve = (port: number) => {
    server = Deno.serve({
      hostname: host,
      port,
      onListen: (address) => log("info", `Errand listens on http://${bracketed(host)}:${address.port}`),
      onError: () => new Response(null, { status: 500 }),
    }, (request) => app.fetch(request));
    // The accept loop ends where descriptors run out; connections that are open go on, and it begins anew.
    server.finished.catch((error) => {
      if (stopping) return;
      log("error", "Listening ended, and begins again.", { error: String(error) });
      setTimeout(() => serve((server.addr as Deno.NetAddr).port), SERVE_AGAIN_AFTER);
    });
  };
  try {
    serve(port);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) fail(`PORT=${port} is in use; set PORT to a free one.`);
    fail(`HOST=${host} PORT=${port} cannot be listened on: ${firstLine(error)}`);
  }
  return {
    shutdown() {
      stopping = true;
      return server.shutdown();
    },
  };
}

/** The first signal drains; another one, later than a second, ends at once, and the runners with it. */
function stopOnSignal(errand: Errand, server: Server | undefined, log: Log): void {
  let since: number | undefined;
  const stop = async (signal: string) => {
    if (since !== undefined) {
      if (performance.now() - since > SAME_SIGNAL) Deno.exit(130);
      return;
    }
    since = performance.now();
    log("info", `${signal}: draining; another signal, from a second on, ends at once.`);
    await errand.stop();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, LAST_WORDS);
    await Promise.race([server?.shutdown(), late]);
    log("info", "Stopped.");
    Deno.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => stop(signal));
}
