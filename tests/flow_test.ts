/** The README's first minutes, and the examples, against the real service. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import PostalMime from "postal-mime";
import { freePort, program, Service, until } from "./service.ts";
import { MailServer } from "./tasks/mail_server.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const HELLO = { to: ["ada@example.com"], subject: "Hello", text: "Hi Ada" };

Deno.test("the first e-mail needs nothing: it is written to the outbox, and says so", async () => {
  await using service = await Service.start();
  const accepted = await service.call("POST", "/v1/tasks", { type: "send-email", input: HELLO });
  const { id } = await accepted.json();
  assert.equal(accepted.status, 202);
  assert.equal(accepted.headers.get("location"), `/v1/tasks/${id}`);
  assert.equal(accepted.headers.get("retry-after"), "1");

  const { status, result } = await service.final(id);
  assert.equal(status, "succeeded");
  const { outbox, accepted: to } = result as { outbox: string; accepted: string[] };
  assert.deepEqual(to, ["ada@example.com"]);
  const mail = await PostalMime.parse(Deno.readFileSync(`${service.dataDir}/outbox/${outbox}`));
  assert.deepEqual([mail.subject, mail.text?.trim()], ["Hello", "Hi Ada"]);
  assert.ok((await service.logs(id)).some(({ message }) => message.includes("SMTP_URL")));
});

Deno.test("an e-mail reaches a mail server from a runner that may reach no other host", async () => {
  await using server = await MailServer.start();
  await using service = await Service.start({
    SMTP_URL: `smtp://localhost:${server.port}?rejectUnauthorized=false`,
  });
  const sent = await service.run("send-email", HELLO);
  assert.equal(sent.status, "succeeded", JSON.stringify(sent));
  assert.equal(server.mails.length, 1);
});

Deno.test("a folder of one's own holds task types, whose names come from their files", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const readme = Deno.readTextFileSync(`${ROOT}/README.md`);
    const [, example] = /```ts\n(\/\/ my-tasks\/word_count\.ts\n[\s\S]*?)```/.exec(readme)!;
    Deno.writeTextFileSync(`${folder}/word_count.ts`, example!);
    await using service = await Service.start({ TASKS_DIR: folder });
    const { status, result, progress } = await service.run("word-count", { text: "to be or not to be" });
    assert.deepEqual([status, result], ["succeeded", { words: 6 }]);
    assert.deepEqual(progress, { current: 6, total: 6 });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("the article's tasks give the article's results", async () => {
  await using service = await Service.start();
  const [slept, counted] = await Promise.all([
    service.run("sleep", { ms: 20 }),
    service.run("count-primes", { upTo: 1_000_000 }),
  ]);
  assert.ok((slept.result as { sleptMs: number }).sleptMs >= 19);
  assert.deepEqual(counted.result, { count: 78_498 });
  assert.equal(counted.progress?.current, 1_000_000);
});

Deno.test("deno serve main.ts serves the same, and ends when it is told to", async () => {
  const port = freePort();
  const dataDir = Deno.makeTempDirSync();
  const child = spawn(Deno.execPath(), [
    "serve",
    "--no-prompt",
    "--allow-env",
    "--allow-sys=setPriority",
    `--allow-read=.,${dataDir}`,
    `--allow-write=${dataDir}`,
    `--allow-run=${Deno.execPath()}`,
    "--host=127.0.0.1",
    `--port=${port}`,
    "main.ts",
  ], { cwd: ROOT, env: { ...Deno.env.toObject(), DATA_DIR: dataDir }, stdio: "ignore" });
  const ended = new Promise((resolve) => child.on("close", resolve));
  try {
    const url = `http://127.0.0.1:${port}/v1/tasks`;
    const post = () =>
      fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"type":"sleep","input":{"ms":1}}',
      });
    const { id } = await until("deno serve", () => post().then((r) => r.json(), () => undefined));
    await until("the task", async () => {
      const { status } = await (await fetch(`${url}/${id}`)).json();
      return status === "succeeded" || undefined;
    });
  } finally {
    child.kill("SIGTERM");
    await ended;
    Deno.removeSync(dataDir, { recursive: true });
  }
});

Deno.test("deno task start --help lists every setting with its default", async () => {
  const { ended, output } = program(["start", "--help"], {});
  assert.equal((await ended).code, 0);
  for (
    const name of ["HOST", "PORT", "STORE_URL", "DATA_DIR", "TASKS_DIR", "QUEUE_MAX", "RETENTION_FAILED"]
  ) {
    assert.match(output(), new RegExp(`^\\s*${name}\\s`, "m"));
  }
});
