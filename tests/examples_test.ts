/** What `examples/` shows, run as it says. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import PostalMime from "postal-mime";
import { freePort, Service, until } from "./service.ts";

const run = promisify(execFile);
const EXAMPLES = fileURLToPath(new URL("../examples/", import.meta.url));
const ENV = { ...Deno.env.toObject(), NO_COLOR: "1" };

const service = () => Service.start({ TASKS_DIR: `${EXAMPLES}tasks` });

Deno.test("embedded.ts: an app of one's own with Errand inside counts words, and stops when told", async () => {
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const folder = Deno.makeTempDirSync({ prefix: "errand-example-" });
  const child = spawn(Deno.execPath(), ["run", "-A", `${EXAMPLES}embedded.ts`], {
    env: { ...ENV, PORT: String(port), DATA_DIR: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text);
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  try {
    const answer = await until(
      "the app",
      () =>
        fetch(`${url}/count`, { method: "POST", body: "to be or not to be" }).catch(() => {
          assert.equal(child.exitCode, null, errors);
          return undefined;
        }),
    );
    const { task } = await answer.json();
    assert.equal(answer.status, 202);
    assert.match(task, /^\/background\/v1\/tasks\//);
    const done = await until("the count", async () => {
      const done = await (await fetch(url + task)).json();
      return done.status === "succeeded" ? done : undefined;
    });
    assert.deepEqual(done.result, { words: 6, longest: "not" });
    // Not `child.kill()`, after which Deno says that the signal has ended it.
    Deno.kill(child.pid!, "SIGTERM");
    assert.equal(await ended, 0, errors);
  } finally {
    child.kill("SIGKILL");
    await ended;
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("client.ts: a script shows how far a task is, and its result", async () => {
  await using errand = await service();
  const args = ["run", "--no-prompt", "--allow-net", "--allow-env", `${EXAMPLES}client.ts`];
  const env = { ...ENV, ERRAND_URL: errand.url };
  const { stdout } = await run(Deno.execPath(), [...args, "50000000"], { env });
  assert.match(stdout, /█░/);
  assert.match(stdout, /100 % {2}3001134 primes\n3001134 primes\n$/);

  const refused = await run(Deno.execPath(), [...args, "-1"], { env }).catch((error) => error);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^validation-failed: .*#\/input\/upTo/);
});

Deno.test("client.ts: Ctrl-C cancels the task where it runs", async () => {
  await using errand = await service();
  const args = ["run", "--no-prompt", "--allow-net", "--allow-env", `${EXAMPLES}client.ts`, "9000000000"];
  const child = spawn(Deno.execPath(), args, {
    env: { ...ENV, ERRAND_URL: errand.url },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", (code) => resolve(code)));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => output += text);
  try {
    await until("the bar", () => output.includes("░") || undefined);
    Deno.kill(child.pid!, "SIGINT");
    assert.equal(await ended, 1, output);
    assert.match(output, /cancelled\n$/);
    const { tasks } = await (await errand.call("GET", "/v1/tasks")).json();
    assert.deepEqual(tasks.map(({ status }: { status: string }) => status), ["cancelled"]);
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
});

Deno.test("report.ts: a CSV file becomes a PDF in a mailbox, by three tasks in a chain", async () => {
  await using errand = await service();
  const args = [
    "run",
    "--no-prompt",
    "--allow-net",
    "--allow-env",
    `--allow-read=${EXAMPLES}`,
    `${EXAMPLES}report.ts`,
  ];
  const env = { ...ENV, ERRAND_URL: errand.url };
  const story = run(Deno.execPath(), [...args, `${EXAMPLES}sales.csv`, "ada@example.com"], { env });
  const { stdout } = await story;
  const id = "[0-9a-f-]{36}";
  const said = new RegExp(
    `^process-file ${id}\n  row 6 has "n/a" in "Amount", which is no number\ngenerate-pdf ${id}\n` +
      `send-email (${id})\nWritten to data/outbox/\\1.eml\n$`,
  );
  assert.match(stdout, said);
  const [, mail] = said.exec(stdout)!;
  const { subject, attachments: [pdf] } = await PostalMime.parse(
    Deno.readFileSync(`${errand.dataDir}/outbox/${mail}.eml`),
  );
  assert.deepEqual([subject, pdf!.filename, pdf!.mimeType], ["Sales", "sales.pdf", "application/pdf"]);
  assert.equal(new TextDecoder().decode((pdf!.content as ArrayBuffer).slice(0, 5)), "%PDF-");

  const wrong = run(Deno.execPath(), [...args, `${EXAMPLES}sales.csv`, "nobody"], { env });
  const refused = await wrong.catch((error) => error);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^validation-failed: .*#\/input\/to/);
});

/** Calls the views as Django does. Where Django is missing, `JsonResponse` is all of it that they need. */
const DJANGO = `
import json, sys, types
try:
    import django
    from django.conf import settings
    settings.configure()
    django.setup()
except ImportError:
    class JsonResponse:
        def __init__(self, data, status=200, headers=None):
            self.content, self.status_code, self.headers = json.dumps(data).encode(), status, headers or {}
    http = types.ModuleType("django.http")
    http.JsonResponse = JsonResponse
    sys.modules["django"], sys.modules["django.http"] = types.ModuleType("django"), http

from django_view import my_view, send_mail_view, task_status

class Request(types.SimpleNamespace):
    pass

session = {}
def call(view, *args, method="POST", GET={}, session=session):
    response = view(Request(method=method, GET=GET, session=session), *args)
    return [response.status_code, json.loads(response.content)]

import time
began = time.monotonic()
started = call(my_view)
took = time.monotonic() - began
task = started[1]["task"]
mail = call(send_mail_view)
print(json.dumps({
    "started": started,
    "took": took,
    "status": call(task_status, task, method="GET"),
    "joined": call(task_status, task, method="GET", GET={"wait": ""}),
    "mail": call(task_status, mail[1]["task"], method="GET", GET={"wait": ""}),
    "stranger": call(task_status, task, method="GET", session={}),
    "got": call(my_view, method="GET"),
}))
`;

Deno.test("django_view.py: the view answers at once, and the task is asked after", async () => {
  await using errand = await service();
  const { stdout } = await run("python3", ["-c", DJANGO], {
    cwd: EXAMPLES,
    env: { ...ENV, ERRAND_URL: errand.url, PYTHONDONTWRITEBYTECODE: "1", PYTHONPATH: EXAMPLES },
    timeout: 60_000,
  });
  const { started, took, status, joined, mail, stranger, got } = JSON.parse(stdout);
  const [accepted, { message, task }] = started;
  assert.deepEqual([accepted, message], [202, "Task started in the background"]);
  assert.ok(took < 2, `the view took ${took} s`);
  assert.equal(status[0], 200);
  assert.ok(["queued", "running"].includes(status[1].status), status[1].status);
  assert.deepEqual([joined[1].id, joined[1].status], [task, "succeeded"]);
  assert.ok(joined[1].result.sleptMs >= 5000);
  assert.deepEqual([mail[1].status, mail[1].result.accepted], ["succeeded", ["recipient@example.com"]]);
  assert.deepEqual([stranger[0], got[0]], [404, 405]);
});
