import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { alive, freePort, pause, program, Service, until } from "../service.ts";

Deno.test("SIGTERM drains: what runs may finish, what comes is refused, status is told to the end", async () => {
  await using service = await Service.start();
  const id = await service.submit("sleep", { ms: 1_500 });
  const waiting = await service.submit("sleep", { ms: 1 }, { delay: "1h" });
  await service.reached(id, "running");
  service.signal("SIGTERM");
  await until("unreadiness", async () => (await service.ready()).problems?.includes("draining") || undefined);

  const refused = await service.call("POST", "/v1/tasks", { type: "sleep", input: { ms: 1 } });
  assert.equal(refused.status, 503);
  assert.equal((await refused.json()).code, "draining");
  assert.ok(refused.headers.has("retry-after"));
  assert.equal((await service.get(id)).status, "running");
  assert.equal((await service.get(waiting)).status, "scheduled");
  // The last answers are given while the service ends.
  const { status } = await service.final(id).catch(() => ({ status: "succeeded" }));
  assert.equal(status, "succeeded");
  assert.deepEqual(await service.program.ended, { code: 0, signal: null });
});

Deno.test("what outlasts the drain is aborted, then ended with its runner", async () => {
  await using service = await Service.start({ DRAIN_TIMEOUT: "300ms", GRACE: "300ms" });
  for (const way of ["endless-loop", "ignores-signal", "obeys-signal"]) {
    const id = await service.submit("hangs", { way });
    await service.reached(id, "running");
  }
  await pause(200);
  const runners = service.runners();
  assert.ok(runners.length > 0);
  service.signal("SIGTERM");
  assert.deepEqual(await service.program.ended, { code: 0, signal: null });
  await until("the end of all runners", () => runners.every((pid) => !alive(pid)));
});

Deno.test("Ctrl-C under deno task, which comes twice, drains", async () => {
  const DATA_DIR = Deno.makeTempDirSync();
  const PORT = String(freePort());
  const tasks = `http://127.0.0.1:${PORT}/v1/tasks`;
  const child = spawn(Deno.execPath(), ["task", "start"], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    env: { ...Deno.env.toObject(), PORT, DATA_DIR },
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
  const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal })));
  try {
    await until("the service's start", () => output.includes("Errand listens"));
    const body = JSON.stringify({ type: "sleep", input: { ms: 1_500 } });
    const response = await fetch(tasks, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    const { id } = await response.json();
    await until("the task", async () => (await (await fetch(`${tasks}/${id}`)).json()).status === "running");
    const signalled = performance.now();
    Deno.kill(-child.pid!, "SIGINT");
    assert.deepEqual(await ended, { code: 0, signal: null });
    assert.ok(performance.now() - signalled > 500, "it waits for the task");
    assert.match(output, /Stopped\./);
  } finally {
    if (child.exitCode === null) Deno.kill(-child.pid!, "SIGKILL");
    Deno.removeSync(DATA_DIR, { recursive: true });
  }
});

Deno.test("a second signal, later than the first, ends at once, and the runners with it", async () => {
  await using service = await Service.start();
  await service.reached(await service.submit("hangs", { way: "endless-loop" }), "running");
  await pause(200);
  const runners = service.runners();
  service.signal("SIGTERM");
  await until("the drain", async () => (await service.ready()).problems?.includes("draining") || undefined);
  await pause(1_100);
  service.signal("SIGINT");
  assert.deepEqual(await service.program.ended, { code: 130, signal: null });
  await until("the end of all runners", () => runners.every((pid) => !alive(pid)));
});

Deno.test("a signal to runners does not end their tasks", async () => {
  await using service = await Service.start();
  const id = await service.submit("sleep", { ms: 800 });
  await service.reached(id, "running");
  await until("the runner's start", () => service.runners().length > 0);
  await pause(300);
  // As a service manager does, which signals every process that it can find.
  for (const pid of service.runners()) Deno.kill(pid, "SIGTERM");
  Deno.kill(-service.pid, "SIGTERM");
  const { status, attempt } = await service.final(id).catch(() => ({ status: "succeeded", attempt: 1 }));
  assert.deepEqual([status, attempt], ["succeeded", 1]);
  assert.deepEqual(await service.program.ended, { code: 0, signal: null });
  assert.doesNotMatch(service.program.output(), /A runner died/);
});

Deno.test("a start that cannot work says why, in a line each, and ends with 1", async (t) => {
  const fails = async (env: Record<string, string>, ...lines: RegExp[]) => {
    const { ended, output } = program(["start"], { PORT: String(freePort()), ...env });
    assert.deepEqual(await ended, { code: 1, signal: null }, output());
    const said = output().trim().split("\n");
    assert.equal(said.length, lines.length, output());
    lines.forEach((line, i) => assert.match(said[i]!, line));
  };
  const DATA_DIR = Deno.makeTempDirSync();
  const holder = Deno.listen({ hostname: "127.0.0.1", port: 0 });

  await t.step("a port in use", () => {
    const PORT = String(holder.addr.port);
    return fails({ DATA_DIR, PORT }, new RegExp(`^errand: PORT=${PORT} is in use`));
  });
  await t.step("a DATA_DIR that cannot be written", () => {
    Deno.writeTextFileSync(`${DATA_DIR}/file`, "");
    return fails({ DATA_DIR: `${DATA_DIR}/file` }, /^errand: DATA_DIR=.*file cannot be written: /);
  });
  await t.step("a TASKS_DIR that is not there", () => {
    return fails({ DATA_DIR, TASKS_DIR: `${DATA_DIR}/none` }, /^errand: TASKS_DIR=.*none cannot be read: /);
  });
  await t.step("a host that is not there", () => {
    const env = { DATA_DIR, HOST: "nonexist.invalid", ALLOW_ANONYMOUS: "true" };
    return fails(env, /^errand: HOST=nonexist\.invalid PORT=\d+ cannot be listened on: /);
  });
  await t.step("settings that are wrong, all of them", () => {
    return fails({ DATA_DIR, GRACE: "soon", QUEUE_MAX: "-1" }, /^errand: QUEUE_MAX: /, /^errand: GRACE: /);
  });
  await t.step("an unknown command", async () => {
    const { ended, output } = program(["strat"], { DATA_DIR });
    assert.equal((await ended).code, 1);
    assert.match(output(), /^errand: Unknown command: strat\./);
  });
  await t.step("start --help", async () => {
    const { ended, output } = program(["start", "--help"], { DATA_DIR });
    assert.equal((await ended).code, 0);
    for (const name of ["PORT", "TASKS_DIR", "RUNNERS", "GRACE"]) {
      assert.match(output(), new RegExp(`^  ${name} `, "m"));
    }
  });
  holder.close();
  Deno.removeSync(DATA_DIR, { recursive: true });
});
