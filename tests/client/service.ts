/** A service that listens, with clients of it; for tests of the client. */
import {
  type AnyTasks,
  type ClientOptions,
  createClient,
  createErrand,
  type ErrandClient,
} from "../../mod.ts";
import type { BuiltInTasks, EmbeddedErrand } from "../../mod.ts";

const TASKS = new URL("./tasks", import.meta.url);

export type Tasks = BuiltInTasks & {
  fails: typeof import("./tasks/fails.ts");
  steps: typeof import("./tasks/steps.ts");
  copies: typeof import("./tasks/copies.ts");
};

export interface Served extends AsyncDisposable {
  readonly url: string;
  readonly errand: EmbeddedErrand;
  client(options?: Partial<ClientOptions>): ErrandClient<Tasks>;
  /** One that knows no types. */
  loose(): ErrandClient<AnyTasks>;
}

/** Repeats come at once. */
const SWIFT = { baseDelay: 5 };

export async function served(): Promise<Served> {
  const dataDir = Deno.makeTempDirSync({ prefix: "errand-client-" });
  const errand = await createErrand({
    dataDir,
    tasks: TASKS,
    grace: 200,
    backoffBase: 10,
    backoffMax: 20,
  });
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (r) => errand.app.fetch(r),
  );
  const url = `http://127.0.0.1:${server.addr.port}`;
  return {
    url,
    errand,
    client: (options) => createClient<Tasks>({ url, ...SWIFT, ...options }),
    loose: () => createClient<AnyTasks>({ url, ...SWIFT }),
    async [Symbol.asyncDispose]() {
      await errand.stop();
      await server.shutdown();
      Deno.removeSync(dataDir, { recursive: true });
    },
  };
}
