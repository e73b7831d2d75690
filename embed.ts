/** Errand inside another program: under its own Hono app, started and stopped by it. */
import { type Context, Hono } from "hono";
import { createErrand as start } from "./errand.ts";
import { choose, type ErrandOptions } from "./options.ts";

export interface EmbeddedErrand extends AsyncDisposable {
  /** To be mounted under any app: `app.route("/background", errand.app)`. Links, `Location` and all begin there. */
  readonly app: Hono;
  /** From now on no task is accepted, and `/readyz` says so. */
  refuse(): void;
  /** Drains, then aborts what still runs, and ends every runner. Resolves when all of it is done. */
  stop(): Promise<void>;
}

/**
 * Starts a service in this process. It listens on nothing and handles no signals: that is its program's.
 *
 * Without `apiKeysFile` whoever reaches the app may do everything; it then answers to names of this machine alone,
 * unless `allowAnonymous` says that the program itself decides who may come.
 *
 * @throws {ConfigError} naming everything that is wrong with the options; nothing is left running then
 */
export async function createErrand(options: ErrandOptions = {}): Promise<EmbeddedErrand> {
  const { config, tasks, log } = choose(options, Deno.cwd());
  const { app, appAt, refuse, stop } = await start(config, log, tasks);
  return { app: mountable(app, appAt), refuse, stop, [Symbol.asyncDispose]: stop };
}

/** An app that passes every request on to the one for the place where it is mounted. There is one place as a rule. */
function mountable(atRoot: Hono, appAt: (base: string) => Hono): Hono {
  const apps = new Map([["", atRoot]]);
  return new Hono().all("*", (c) => {
    const base = baseOf(c);
    // Its own index, whose links are relative, is at the slash.
    if (base !== "" && c.req.path === decodeURI(base)) return c.redirect(`${base}/`, 308);
    let app = apps.get(base);
    if (app === undefined) apps.set(base, app = appAt(base));
    return app.fetch(c.req.raw, c.env);
  });
}

/** What stands in front of the asterisk, as this request's route was written. */
function baseOf({ req }: Context): string {
  const { routePath } = req;
  const path = routePath.replace(/\/?\*$/, "");
  if (!/[:*]/.test(path)) return encodeURI(path);
  throw new TypeError(`Errand cannot be mounted at ${path}: its own links need a path without parameters.`);
}
