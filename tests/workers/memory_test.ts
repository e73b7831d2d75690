import assert from "node:assert/strict";
import { Service } from "../service.ts";
import { table } from "./rows.ts";

Deno.test("memory is bounded, by whichever way it is used", async (t) => {
  await using service = await Service.start();
  await table(
    t,
    service,
    ["heap", "buffers", "buffers-at-once"].map((way) => ({
      type: "hungry",
      way,
      code: "out_of_memory",
      // However many it has left: once more at most.
      attempts: 2,
      more: { maxAttempts: 5 },
    })),
  );

  await t.step("the API holds no more than before", () => {
    const status = Deno.readTextFileSync(`/proc/${service.pid}/status`);
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]);
    assert.ok(peak < 400_000, `${peak} kB`);
  });
});
