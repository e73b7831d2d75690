import assert from "node:assert/strict";
import { alive, pause, Service, until } from "../service.ts";
import { holds, type Row, table } from "./rows.ts";

const late = {
  type: "hangs",
  code: "timeout",
  retryable: true,
  attempts: 1,
  more: { timeout: "300ms", maxAttempts: 1 },
} satisfies Partial<Row>;

Deno.test("what does not end is ended", async (t) => {
  await using service = await Service.start();
  new Deno.Command("mkfifo", { args: [`${service.dataDir}/fifo`] }).outputSync();
  await table(t, service, [
    { ...late, way: "endless-loop", runner: "killed" },
    { ...late, way: "endless-loop", attempts: 2, more: { timeout: "300ms", maxAttempts: 2 } },
    { ...late, way: "wasm-loop", runner: "killed" },
    { ...late, way: "regex", runner: "killed" },
    { ...late, way: "microtask-loop", runner: "killed" },
    { ...late, way: "never-settles", runner: "kept" },
    { ...late, way: "atomics-wait", runner: "killed" },
    { ...late, way: "fifo-without-writer", runner: "killed" },
    { ...late, way: "ignores-signal", runner: "kept" },
    { ...late, way: "obeys-signal", runner: "kept" },
  ]);

  for (const way of ["endless-loop", "ignores-signal"]) {
    await t.step(`${way} in one thread with its neighbours`, async () => {
      await holds(service, { ...late, type: "hangs-together", way });
    });
  }

  await t.step("a handler that obeys keeps its runner", async () => {
    await service.run("hangs", { way: "quick" });
    const before = service.runners();
    await service.run("hangs", { way: "obeys-signal" }, { timeout: "50ms", maxAttempts: 1 });
    assert.deepEqual(service.runners(), before);
  });

  for (const way of ["obeys-signal", "ignores-signal", "endless-loop"]) {
    await t.step(`cancelled: ${way}`, async () => {
      const id = await service.submit("hangs", { way });
      await service.reached(id, "running");
      await pause(200);
      await service.cancel(id);
      const task = await service.final(id);
      assert.equal(task.status, "cancelled");
      assert.equal((await service.run("hangs", { way: "quick" })).status, "succeeded");
      await service.calm();
    });
  }

  await t.step("cancelled before its worker is ready: it never begins, and neighbours do", async () => {
    const [id, other] = [
      await service.submit("sets-up-slowly", { way: "wait", ms: 60_000 }),
      await service.submit("sets-up-slowly", { way: "quick" }),
    ];
    await service.reached(id, "running");
    await service.cancel(id);
    assert.equal((await service.final(id)).status, "cancelled");
    assert.equal((await service.get(other)).status, "running");
    const { status, attempt } = await service.final(other);
    assert.deepEqual({ status, attempt }, { status: "succeeded", attempt: 1 });
  });

  await t.step("work that must not be done twice by guess ends with its timeout", async () => {
    const task = await service.run("deaths-once", { way: "ignores-signal" }, { timeout: "100ms" });
    assert.deepEqual([task.error?.code, task.error?.retryable, task.attempt], ["timeout", false, 1]);
  });

  await t.step("idle runners are ended, and begun again", async () => {
    await using idle = await Service.start({ RUNNER_IDLE: "100ms" });
    await idle.run("fresh", { way: "quick" });
    await idle.run("hangs", { way: "quick" });
    const [pid] = idle.runners();
    await until("the end of idle runners", () => idle.runners().length === 0);
    assert.ok(pid === undefined || !alive(pid));
    assert.equal((await idle.run("hangs", { way: "quick" })).status, "succeeded");
  });

  await t.step("a fresh runner for every run", async () => {
    const pids = [];
    for (let i = 0; i < 3; i++) {
      pids.push(((await service.run("fresh", { way: "quick" })).result as { pid: number }).pid);
    }
    assert.equal(new Set(pids).size, 3);
  });
});
