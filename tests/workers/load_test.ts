import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Service } from "../service.ts";

const BROKEN = fileURLToPath(new URL("../fixtures/broken", import.meta.url));

Deno.test("a task file that does not load hides no other", async (t) => {
  await using service = await Service.start({ TASKS_DIR: BROKEN, LOAD_TIMEOUT: "2s" });
  const faults: Record<string, RegExp> = {
    "throws-at-import": /not today/,
    "hangs-at-import": /did not load within 2000 ms/,
    "exits-at-import": /ended the process/,
    "no-task": /not from defineTask/,
    "no-import": /missing_file|Module not found/,
    "bad-options": /must be a duration/,
  };
  const { types } = await (await service.call("GET", "/v1/types")).json();
  const { status, notices } = await service.ready();

  for (const [type, why] of Object.entries(faults)) {
    await t.step(type, async () => {
      const { available, unavailable } = types.find((each: { type: string }) => each.type === type);
      assert.equal(available, false);
      assert.match(unavailable, why);
      assert.ok(notices!.some((notice) => notice.includes(type)));
      const response = await service.call("POST", "/v1/tasks", { type, input: {} });
      assert.equal(response.status, 503);
      assert.equal((await response.json()).code, "type-unavailable");
    });
  }

  await t.step("the others work, and the service is ready", async () => {
    assert.equal(status, "ok");
    assert.equal((await service.run("fine", {})).result, "fine");
    assert.equal((await service.run("sleep", { ms: 1 })).status, "succeeded");
  });
});

Deno.test("a setup that throws fails its tasks, and the type is held back", async () => {
  await using service = await Service.start();
  const stopWatching = service.watch();
  const { error, attempt } = await service.run("sets-up", {});
  assert.deepEqual([error?.code, error?.retryable, attempt], ["handler_load_failed", false, 1]);
  assert.match(error!.message, /no connection/);
  const { status, problems } = await service.ready();
  assert.equal(status, "unavailable");
  assert.match(problems![0]!, /^sets-up: held back for \d+ ms: no connection/);
  assert.equal((await service.run("throws", { way: "quick" })).status, "succeeded");
  // It is tried again when its time has come.
  assert.equal((await service.run("sets-up", {})).error?.code, "handler_load_failed");
  await stopWatching();
});
