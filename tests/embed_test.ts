import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Hono } from "hono";
import meta from "../deno.json" with { type: "json" };
import { type AnyTasks, ConfigError, createClient, createErrand } from "../mod.ts";
import type { EmbeddedErrand, ErrandOptions } from "../mod.ts";
import { choose } from "../options.ts";
import { loadConfig } from "../config.ts";
import { until } from "./service.ts";

const EXAMPLES = new URL("../examples/", import.meta.url);
const TASKS = new URL("./tasks", EXAMPLES);

class Folder implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "errand-embed-" });
  [Symbol.dispose]() {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** An app of somebody, with Errand below `/background`. */
async function mounted(use: (app: Hono, errand: EmbeddedErrand) => Promise<void>): Promise<void> {
  using folder = new Folder();
  await using errand = await createErrand({ tasks: TASKS, dataDir: folder.path });
  const app = new Hono();
  app.get("/", (c) => c.text("mine"));
  app.route("/background", errand.app);
  app.notFound((c) => c.text("my 404", 404));
  await use(app, errand);
}

const post = (app: Hono, path: string, body: unknown, headers: Record<string, string> = {}) =>
  Promise.resolve(app.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  }));

const WORDS = { type: "word-count", input: { text: "to be or not to be" } };

Deno.test("below a path of another app a task is submitted, carried out and found by its links", () =>
  mounted(async (app) => {
    const accepted = await post(app, "/background/v1/tasks", WORDS);
    const { id, links } = await accepted.json();
    assert.equal(accepted.status, 202);
    assert.equal(accepted.headers.get("location"), `/background/v1/tasks/${id}`);
    assert.equal(links.self, `/background/v1/tasks/${id}`);
    const task = await until("the end of the task", async () => {
      const task = await (await app.request(links.self)).json();
      return task.status === "succeeded" ? task : undefined;
    });
    assert.deepEqual(task.result, { words: 6, longest: "not" });
    assert.deepEqual(await (await app.request(links.result)).json(), task.result);
    for (const [name, link] of Object.entries<string>(task.links)) {
      assert.ok(link.startsWith(`/background/v1/tasks/${id}`), `${name}: ${link}`);
    }
    assert.equal((await app.request(links.logs)).status, 200);
    const later = await (await post(app, "/background/v1/tasks", { ...WORDS, delay: "1h" })).json();
    assert.equal((await app.request(later.links.cancel, { method: "POST" })).status, 200);
    const again = await app.request(later.links.retry, { method: "POST" });
    assert.equal(again.headers.get("location"), later.links.self);
  }));

Deno.test("below a path pages, problems and documents name paths below it", () =>
  mounted(async (app) => {
    for (const _ of [1, 2]) await (await post(app, "/background/v1/tasks", WORDS)).body?.cancel();
    const page = await app.request("/background/v1/tasks?pageSize=1");
    const next = /<([^>]+)>; rel="next"/.exec(page.headers.get("link")!)![1]!;
    assert.match(next, /^\/background\/v1\/tasks\?/);
    assert.match((await page.json()).tasks[0].links.self, /^\/background\//);
    assert.equal((await (await app.request(next)).json()).tasks.length, 1);

    const wrong = await post(app, "/background/v1/tasks", { type: "word-count", input: { text: 1 } });
    const problem = await wrong.json();
    assert.equal(wrong.status, 422);
    assert.equal(problem.type, "/background/problems/validation-failed");
    assert.equal(problem.instance, "/background/v1/tasks");
    assert.deepEqual(problem.errors.map(({ pointer }: { pointer: string }) => pointer), ["#/input/text"]);
    const meaning = await app.request(problem.type, { headers: { accept: "application/json" } });
    assert.equal((await meaning.json()).type, problem.type);

    const live = await app.request("/background/livez");
    assert.equal(live.headers.get("link"), '</background/openapi.json>; rel="service-desc"');
    const document = await (await app.request("/background/openapi.json")).json();
    assert.deepEqual(document.servers, [{ url: "/background" }]);
    const { links } = await (await app.request("/background/")).json();
    for (const link of Object.values<string>(links)) {
      const { status } = await app.request(link);
      assert.equal(status, 200, link);
    }
    assert.equal((await app.request("/background")).headers.get("location"), "/background/");

    const upload = await app.request("/background/v1/files", { method: "POST", body: "bytes" });
    const file = await upload.json();
    assert.equal(upload.headers.get("location"), `/background/v1/files/${file.id}`);
    assert.equal(await (await app.request(file.links.self)).text(), "bytes");
  }));

Deno.test("below a path what is not there is Errand's 404 and 405, and beside it the app's own", () =>
  mounted(async (app) => {
    const missing = await app.request("/background/v1/nothing");
    assert.deepEqual([missing.status, (await missing.json()).code], [404, "not-found"]);
    const wrong = await app.request("/background/v1/tasks", { method: "DELETE" });
    assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "GET, HEAD, POST"]);
    assert.equal(await (await app.request("/elsewhere")).text(), "my 404");
    assert.equal(await (await app.request("/backgrounds")).text(), "my 404");
    assert.equal(await (await app.request("/")).text(), "mine");
    assert.equal((await app.request("/background/livez", { method: "HEAD" })).status, 200);
  }));

Deno.test("below a path the names and pages of strangers are kept out as ever", () =>
  mounted(async (app) => {
    const foreign = await app.request("http://example.com/background/v1/stats");
    assert.deepEqual([foreign.status, (await foreign.json()).code], [403, "forbidden"]);
    const headers = { origin: "https://evil.example", host: "localhost" };
    const forged = await app.request("/background/v1/files", { method: "POST", body: "x", headers });
    assert.equal(forged.status, 403);
  }));

Deno.test("one service can be mounted twice, in apps of apps, and at names that need encoding", () =>
  mounted(async (app, errand) => {
    app.route("/hintergründe", errand.app);
    const outer = new Hono().route("/outer", app);
    for (const base of ["/outer/background", `/outer/${encodeURIComponent("hintergründe")}`]) {
      const accepted = await post(outer, `${base}/v1/tasks`, WORDS);
      const { links } = await accepted.json();
      assert.equal(accepted.headers.get("location"), links.self);
      assert.ok(links.self.startsWith(`${base}/v1/tasks/`), links.self);
      assert.equal((await outer.request(links.self)).status, 200);
    }
    const alone = await post(errand.app, "/v1/tasks", WORDS);
    assert.match((await alone.json()).links.self, /^\/v1\/tasks\//);
  }));

Deno.test("a path with parameters is refused with a reason, as links could not lead back", () =>
  mounted(async (app, errand) => {
    const errors: Error[] = [];
    const tenants = new Hono().route("/tenants/:tenant", errand.app).onError((error, c) => {
      errors.push(error);
      return c.text("mine", 500);
    });
    assert.equal((await tenants.request("/tenants/1/livez")).status, 500);
    assert.match(String(errors), /cannot be mounted at \/tenants\/:tenant/);
    assert.equal((await app.request("/background/livez")).status, 200);
  }));

Deno.test("from refuse() on no task is accepted, and stop() may be called twice", () =>
  mounted(async (app, errand) => {
    errand.refuse();
    const refused = await post(app, "/background/v1/tasks", WORDS);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "5");
    await refused.body?.cancel();
    await Promise.all([errand.stop(), errand.stop()]);
  }));

function problemsOf(options: Record<string, unknown>): readonly string[] {
  try {
    choose(options as ErrandOptions, "/srv");
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.problems;
  }
  return [];
}

Deno.test("options have the defaults of the settings", () => {
  using folder = new Folder();
  const { config } = choose({ dataDir: folder.path, env: {} }, "/srv");
  assert.deepEqual(config, loadConfig({ DATA_DIR: folder.path }, "/srv"));
});

Deno.test("options are numbers, durations, sizes, flags, paths and URLs", () => {
  using folder = new Folder();
  const { config, tasks } = choose({
    dataDir: new URL(`file://${folder.path}`),
    tasks: [TASKS, "."],
    queueMax: 7,
    bodyMax: "2MiB",
    resultMax: 4096,
    grace: 250,
    lease: "1m",
    runners: "off",
    allowAnonymous: true,
    smtpUrl: undefined,
    egressAllow: "10.0.0.0/8",
    rateLimit: "10/s",
    env: { SMTP_URL: "smtp://around", MINE: "1" },
  }, folder.path);
  const { dataDir, queueMax, bodyMax, resultMax, grace, lease, runners, allowAnonymous, smtpUrl, env } =
    config;
  assert.deepEqual(tasks, [fileURLToPath(TASKS), folder.path]);
  assert.deepEqual(
    { dataDir, queueMax, bodyMax, resultMax, grace, lease, runners, allowAnonymous, smtpUrl },
    {
      dataDir: folder.path,
      queueMax: 7,
      bodyMax: 2 * 2 ** 20,
      resultMax: 4096,
      grace: 250,
      lease: 60_000,
      runners: "off",
      allowAnonymous: true,
      smtpUrl: undefined,
    },
  );
  // What a type asks for by the name of a setting is what was chosen, and not what happens to be around.
  assert.deepEqual([env.SMTP_URL, env.MINE, env.EGRESS_ALLOW, env.DATA_DIR], [
    undefined,
    "1",
    "10.0.0.0/8",
    folder.path,
  ]);
});

Deno.test("one error names all that is wrong with the options, by their names", () => {
  assert.deepEqual(
    problemsOf({
      port: 1,
      tsaks: "x",
      tasks: "/nowhere/at/all",
      queueMax: -1,
      grace: NaN,
      backoffBase: 5_000,
      backoffMax: "1s",
      smtpUrl: "smtp:secret",
      runners: "maybe",
    }).map((line) => line.split(": ")[0]),
    [
      "port",
      "tsaks",
      "tasks=/nowhere/at/all cannot be read",
      "runners",
      "smtpUrl",
      "queueMax",
      "grace",
      "backoffMax",
    ],
  );
  assert.match(problemsOf({ backoffBase: 5_000, backoffMax: "1s" })[0]!, /at least backoffBase, 5000ms/);
  assert.match(problemsOf({ dataDir: "/proc/nothing" })[0]!, /^dataDir=\/proc\/nothing cannot be written/);
  assert.ok(!JSON.stringify(problemsOf({ smtpUrl: "smtp:secret" })).includes("secret"));
});

Deno.test("options are typed as their settings", () => {
  const options: ErrandOptions = { grace: "5s", queueMax: 1, runners: "off", tasks: TASKS };
  assert.ok(options);
  // @ts-expect-error it listens on nothing
  const port: ErrandOptions = { port: 1 };
  // @ts-expect-error neither on nor off
  const runners: ErrandOptions = { runners: "maybe" };
  // @ts-expect-error a flag is no text
  const flag: ErrandOptions = { allowAnonymous: "true" };
  assert.ok(port && runners && flag);
});

/** Runs a program of another project, which knows Errand and zod by a line each; answers what it prints. */
async function elsewhere(folder: string, program: string): Promise<string> {
  const errand = relative(folder, fileURLToPath(new URL("../mod.ts", import.meta.url)));
  Deno.writeTextFileSync(
    `${folder}/deno.json`,
    JSON.stringify({ imports: { errand, zod: meta.imports.zod } }),
  );
  Deno.writeTextFileSync(`${folder}/main.ts`, `import { createErrand } from "errand";\n${program}`);
  const args = ["run", "-A", "--no-lock", "--quiet", "main.ts"];
  // It ends by itself: whatever was left running would keep it, and have it killed.
  return (await promisify(execFile)(Deno.execPath(), args, { cwd: folder, timeout: 60_000 })).stdout;
}

Deno.test("a program of another project needs two lines of configuration, and ends when the service has", async () => {
  using folder = new Folder();
  Deno.mkdirSync(`${folder.path}/tasks`);
  Deno.copyFileSync(new URL("./tasks/word_count.ts", EXAMPLES), `${folder.path}/tasks/word_count.ts`);
  const told = await elsewhere(
    folder.path,
    `
    import { createClient } from "errand";
    const errand = await createErrand({ tasks: "tasks" });
    const client = createClient<{ "word-count": typeof import("./tasks/word_count.ts") }>({
      url: "http://localhost",
      fetch: async (input, init) => await errand.app.fetch(new Request(input, init)),
    });
    const task = await client.tasks.submit("word-count", { text: "to be" });
    const { words } = await task.result();
    const style = await errand.app.request("/docs/page.css");
    await style.body?.cancel();
    await errand.stop();
    console.log(JSON.stringify({ words, style: style.status }));
    `,
  );
  assert.deepEqual(JSON.parse(told), { words: 2, style: 200 });
});

Deno.test("a start that fails says why, and leaves neither processes nor timers behind", async () => {
  using folder = new Folder();
  // Where the files of tasks would be kept there is a file: that comes up when much has begun already.
  Deno.writeTextFileSync(`${folder.path}/files`, "");
  const told = await elsewhere(
    folder.path,
    `
    const error = await createErrand({ dataDir: "." }).catch((error) => error);
    const children = Deno.readTextFileSync(\`/proc/\${Deno.pid}/task/\${Deno.pid}/children\`);
    console.log(JSON.stringify({ error: String(error), children }));
    `,
  );
  const { error, children } = JSON.parse(told);
  assert.match(error, /files/);
  assert.equal(children, "");
});

Deno.test("below a path events, batches and what waits name paths below it", () =>
  mounted(async (app) => {
    const client = createClient<AnyTasks>({
      url: "http://localhost/background",
      fetch: async (input, init) => await app.fetch(new Request(input, init)),
    });
    const task = await client.tasks.submit(WORDS.type, WORDS.input, { wait: 20 });
    assert.equal(task.status, "succeeded");
    const batch = await client.batches.submit([WORDS, WORDS]);
    const { links } = await batch.wait();
    const named = [task.view.links, links];
    for await (const { event, data } of task.events()) if (event !== "task.log") named.push(data.links);
    for await (const told of batch.events()) {
      if ("data" in told && "links" in told.data) named.push(told.data.links);
    }
    assert.ok(named.length >= 4);
    for (const link of named.flatMap((links) => Object.values(links))) {
      assert.match(link, /^\/background\/v1\//);
    }
  }));
