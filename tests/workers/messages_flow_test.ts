import assert from "node:assert/strict";
import { Service } from "../service.ts";
import { type Row, table } from "./rows.ts";

const violates = {
  type: "messages",
  code: "protocol_violation",
  retryable: false,
  attempts: 1,
} satisfies Partial<Row>;

Deno.test("what crosses the walls is checked", async (t) => {
  await using service = await Service.start();
  await table(t, service, [
    ...[
      "malformed",
      "bad-json",
      "unknown-message",
      "bad-field",
      "loaded-twice",
      "flood",
      "forged-frame",
      "forged-length",
      "frame-flood",
    ].map((way) => ({ ...violates, way })),
    {
      ...violates,
      way: "foreign-keys",
      code: undefined,
      check: ({ result }) => assert.equal(result, "unharmed"),
    },
    { ...violates, way: "logs", code: undefined },
    { ...violates, way: "long-lines", code: undefined },
    { ...violates, way: "hijack", code: undefined },
  ]);

  await t.step("progress and logs are kept within bounds; the last progress is not lost", async () => {
    const { id, progress } = await service.run("messages", { way: "logs" });
    assert.deepEqual(progress, { current: 4_999, total: 5_000, message: "step 4999" });
    const lines = await service.logs(id);
    assert.ok(lines.length > 0 && lines.length <= 1_001, `${lines.length} lines`);
    assert.equal(lines.at(-1)!.message, "Further lines are dropped.");
  });

  await t.step("console goes to the log of the task that wrote it", async () => {
    const ids = await Promise.all(
      [60, 40, 20].map((ms) => service.submit("messages", { way: "console", ms })),
    );
    for (const [i, ms] of [60, 40, 20].entries()) {
      await service.final(ids[i]!);
      assert.deepEqual(
        (await service.logs(ids[i]!)).map(({ level, message }) => `${level} ${message}`),
        [`info begins ${ms} { a: 1 }`, `error ends ${ms}`],
      );
    }
  });

  await t.step("many tasks that talk a lot are throttled, not condemned", async () => {
    const ids = await Promise.all(
      Array.from({ length: 60 }, () => service.submit("messages", { way: "logs" })),
    );
    for (const id of ids) {
      const { status, attempt } = await service.final(id);
      assert.deepEqual([status, attempt], ["succeeded", 1]);
    }
  });
});
