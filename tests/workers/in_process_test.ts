import assert from "node:assert/strict";
import { Service } from "../service.ts";

Deno.test("RUNNERS=off: the same pool in this process, and what is not promised is said", async (t) => {
  await using service = await Service.start({ RUNNERS: "off" });

  await t.step("no process is started; readiness says what is off", async () => {
    assert.equal((await service.run("sleep", { ms: 1 })).status, "succeeded");
    assert.deepEqual(service.runners(), []);
    const { status, notices } = await service.ready();
    assert.equal(status, "ok");
    assert.equal(notices!.filter((notice) => notice.startsWith("RUNNERS=off: ")).length, 3);
    assert.match(service.program.output(), /RUNNERS=off: a stuck thread cannot be stopped/);
  });

  const rows = [
    ["throws", "throws", "handler_error", 2],
    ["throws", "floating-rejection", "unhandled_rejection", 2],
    ["results", "nan", "result_not_serializable", 1],
    ["deaths", "deno-exit", "worker_exited", 2],
    ["deaths", "self-close", "worker_exited", 2],
    ["messages", "malformed", "protocol_violation", 1],
    ["hangs", "never-settles", "timeout", 2],
    ["hangs", "ignores-signal", "timeout", 2],
    ["hangs", "endless-loop", "timeout", 2],
  ] as const;
  for (const [type, way, code, attempts] of rows) {
    await t.step(`${type} ${way} → ${code}`, async () => {
      const neighbour = await service.submit(type, { way: "wait", ms: 300 });
      const { error, attempt } = await service.run(type, { way }, { timeout: "200ms", maxAttempts: 2 });
      assert.deepEqual([error?.code, attempt], [code, attempts]);
      assert.equal((await service.final(neighbour)).status, "succeeded");
      assert.equal((await service.run(type, { way: "quick" })).status, "succeeded");
    });
  }

  await t.step("it stops, stuck threads and all", async () => {
    service.signal("SIGTERM");
    assert.deepEqual(await service.program.ended, { code: 0, signal: null });
  });
});
