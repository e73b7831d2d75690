import assert from "node:assert/strict";
import { Service } from "../service.ts";

const said = (...ways: string[]) => ways.map((way) => `${way} é 😀`);

for (const RUNNERS of ["on", "off"]) {
  Deno.test(`what an attempt saves, the next one has, with RUNNERS=${RUNNERS}`, async () => {
    await using service = await Service.start({ RUNNERS });
    const ways = ["throw", "many", "too much", "no json", "throw"];
    const task = await service.run("remembers", { ways });
    assert.equal(task.status, "succeeded", JSON.stringify(task.error));
    assert.deepEqual(task.result, { before: said(...ways), attempt: 6 });
    assert.doesNotMatch(JSON.stringify({ ...task, result: undefined }), /😀|checkpoint/);
  });
}

Deno.test("a checkpoint outlives its runner, however that ends", async () => {
  await using service = await Service.start();
  const task = await service.run("remembers", { ways: ["die", "spin", "die"] }, { timeout: "300ms" });
  assert.equal(task.status, "succeeded", JSON.stringify(task.error));
  assert.deepEqual(task.result, { before: said("die", "spin", "die"), attempt: 4 });
});

Deno.test("a checkpoint stays with a failed task, for when it is retried by hand", async () => {
  await using service = await Service.start();
  const task = await service.run("remembers", { ways: ["throw", "throw"] }, { maxAttempts: 1 });
  assert.equal(task.error?.code, "handler_error");
  for (const status of ["failed", "succeeded"]) {
    const retried = await service.call("POST", `/v1/tasks/${task.id}/retry`);
    assert.equal(retried.status, 202, await retried.text());
    const { result } = await service.final(task.id);
    if (status === "succeeded") assert.deepEqual(result, { before: said("throw", "throw"), attempt: 1 });
  }
});

Deno.test("one that is not waited for is kept or not, and nothing else comes of it", async () => {
  await using service = await Service.start();
  const task = await service.run("remembers", { ways: ["unawaited"] }, { maxAttempts: 2 });
  assert.ok(task.status === "succeeded" || task.error?.code === "handler_error", JSON.stringify(task));
  const { status } = await service.run("remembers", { ways: [] });
  assert.equal(status, "succeeded");
});
