import assert from "node:assert/strict";
import { alive, pause, Service, type TaskView, until } from "../service.ts";
import { type Row, table } from "./rows.ts";

const exits = { type: "deaths", code: "worker_exited", retryable: true, attempts: 2 } satisfies Partial<Row>;
const lost = { ...exits, code: "worker_lost" };
const signal = (name: string) => ({ error }: TaskView) => assert.deepEqual(error?.details, { signal: name });
const pidOf = (task: TaskView) => (task.result as { pid: number }).pid;

Deno.test("a worker or runner that dies takes nobody along", async (t) => {
  await using service = await Service.start();
  await table(t, service, [
    { ...exits, way: "deno-exit" },
    { ...exits, way: "process-exit" },
    { ...exits, way: "self-close" },
    { ...lost, way: "kill-9", check: signal("SIGKILL") },
    { ...lost, way: "abort", check: signal("SIGABRT") },
    { ...lost, way: "sigstop", attempts: 1, more: { maxAttempts: 1 } },
    { ...lost, way: "kill-9", type: "deaths-alone" },
  ]);

  for (const way of ["deno-exit", "kill-9"]) {
    await t.step(`${way}: the third crash is the last`, async () => {
      const { error, attempt } = await service.run("deaths", { way }, { maxAttempts: 10 });
      assert.deepEqual([error?.code, error?.retryable, attempt], ["poisoned", false, 3]);
      const { cause } = error!.details!;
      assert.equal(cause, way === "kill-9" ? "worker_lost" : "worker_exited");
    });
  }

  await t.step("who was in company runs alone next, and then beside others again", async () => {
    const crash = await service.submit("deaths", { way: "kill-9", once: true }, { maxAttempts: 3 });
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push(await service.submit("deaths", { way: "wait", ms: 300 }));
    const tasks = await Promise.all(ids.map((id) => service.final(id)));
    for (const { status, attempt } of tasks) assert.deepEqual([status, attempt], ["succeeded", 1]);
    const { status, result } = await service.final(crash);
    assert.equal(status, "succeeded");
    const { pid } = result as { pid: number };
    const together = await Promise.all([1, 2].map(() => service.run("deaths", { way: "wait", ms: 100 })));
    assert.equal(pidOf(together[0]!), pidOf(together[1]!));
    assert.notEqual(pidOf(together[0]!), pid);
  });

  await t.step("a runner that is killed from outside, with one task and with many", async () => {
    for (const count of [1, 5]) {
      const ids: string[] = [];
      for (let i = 0; i < count; i++) {
        ids.push(await service.submit("deaths-once", { way: "wait", ms: 300 }));
        await service.reached(ids[i]!, "running");
      }
      const { result } = await service.run("deaths-once", { way: "quick" });
      Deno.kill((result as { pid: number }).pid, "SIGKILL");
      for (const id of ids) {
        const { status, error, attempt } = await service.final(id);
        assert.deepEqual([status, error?.retryable, attempt], ["failed", false, 1]);
        assert.equal(error?.code, count === 1 ? "worker_lost" : "outcome_unknown");
      }
    }
  });

  await t.step("what must not be done twice by guess is not", async () => {
    for (const way of ["deno-exit", "kill-9", "abort"]) {
      const { status, error, attempt } = await service.run("deaths-once", { way });
      assert.deepEqual([status, error?.retryable, attempt], ["failed", false, 1], way);
      assert.match(error!.code, /^(?:worker_lost|worker_exited)$/);
    }
  });

  await t.step("no more than its concurrency, alone lanes and all", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) {
      ids.push(await service.submit("deaths", { way: i === 0 ? "kill-9" : "wait", ms: 150, once: true }));
    }
    let most = 0;
    await until("all tasks", async () => {
      const { tasks } = await (await service.call("GET", "/v1/tasks?status=running&type=deaths")).json();
      most = Math.max(most, tasks.length);
      for (const id of ids) if ((await service.get(id)).status !== "succeeded") return undefined;
      return true;
    });
    assert.ok(most <= 8, `${most} ran at once`);
  });
});

Deno.test("runners that crash in a loop are held back; others are not", async () => {
  await using service = await Service.start();
  const id = await service.submit("sets-up-badly", {});
  const { problems } = await until("unreadiness", async () => {
    const ready = await service.ready();
    return ready.problems ? ready : undefined;
  });
  assert.match(problems![0]!, /^sets-up-badly: held back for \d+ ms: /);
  assert.equal(
    await service.call("GET", "/readyz").then(async (r) => (await r.body?.cancel(), r.status)),
    503,
  );
  const { attempt, error } = await service.get(id);
  assert.ok(attempt <= 1);
  assert.equal(error, undefined);
  assert.equal((await service.run("throws", { way: "quick" })).status, "succeeded");
  await service.cancel(id);
  assert.equal((await service.final(id)).status, "cancelled");
});

Deno.test("no runner outlives the API, whatever its workers do", async () => {
  await using service = await Service.start();
  for (
    const [type, way] of [["hangs", "endless-loop"], ["hangs", "atomics-wait"], ["deaths", "wait"]] as const
  ) {
    await service.submit(type, { way });
  }
  await until("the runners", () => service.runners().length >= 2);
  await pause(300);
  const runners = service.runners();
  service.signal("SIGKILL");
  await service.program.ended;
  await until("the end of all runners", () => runners.every((pid) => !alive(pid)));
});
