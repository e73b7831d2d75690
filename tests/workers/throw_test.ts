import assert from "node:assert/strict";
import { Service } from "../service.ts";
import { type Row, table } from "./rows.ts";

const policy = { type: "throws", code: "handler_error", retryable: true, attempts: 2 } satisfies Partial<Row>;
const floating = { ...policy, code: "unhandled_rejection" };
const never = { type: "results", code: "result_not_serializable", retryable: false, attempts: 1 };
const denied = { type: "denied", code: "permission_denied", retryable: false, attempts: 1 };

Deno.test("whatever a handler throws, returns or asks for has one outcome", async (t) => {
  await using service = await Service.start({ ALLOWED: "yes", TOKEN: "hunter2-hunter2" });
  await table(t, service, [
    {
      ...policy,
      way: "throws",
      check: ({ error }) => assert.equal(error?.message, "thrown at [path]"),
    },
    { ...policy, way: "rejects" },
    { ...policy, way: "throws-null", check: ({ error }) => assert.equal(error?.message, "null") },
    { ...policy, way: "throws-proxy" },
    { ...policy, way: "throws-unprintable" },
    { ...policy, way: "stack-overflow" },
    { ...policy, way: "non-retryable", retryable: false, attempts: 1 },
    {
      ...policy,
      way: "own-code",
      code: "upstream_status",
      check: ({ error }) => assert.deepEqual(error?.details, { status: 503 }),
    },
    { ...policy, way: "bad-code", retryable: false, attempts: 1 },
    { ...policy, way: "says-aborted" },
    { ...floating, way: "floating-rejection" },
    { ...floating, way: "timer-throw" },
    { ...floating, way: "immediate-throw" },
    {
      ...policy,
      way: "late-rejection",
      code: undefined,
      attempts: 1,
      check: ({ result }) => assert.equal(result, "in time"),
    },
  ]);
  await table(
    t,
    service,
    [
      ...[
        "function",
        "symbol",
        "bigint",
        "nan",
        "map",
        "cycle",
        "throwing-getter",
        "throwing-to-json",
      ]
        .map((way) => ({ ...never, way })),
      { ...never, way: "huge", code: "result_too_large" },
      { ...never, way: "nothing", code: undefined },
      { ...never, way: "deep", code: undefined },
    ].map((row) => ({ ...row, neighbour: false as const })),
  );
  await table(t, service, [
    ...["read", "net", "env", "run", "write"].map((way) => ({ ...denied, way })),
    {
      ...denied,
      way: "allowed-env",
      code: undefined,
      check: ({ result }) => assert.deepEqual(result, { allowed: "yes" }),
    },
    {
      ...denied,
      way: "tells-secret",
      code: "handler_error",
      retryable: true,
      attempts: 2,
      check: ({ error }) => assert.equal(error?.message, "login with [redacted] failed at [path]"),
    },
  ]);

  await t.step("a result that its schema refuses is never retried", async () => {
    const task = await service.run("wrong-result", { right: false });
    assert.equal(task.error?.code, "invalid_result");
    assert.deepEqual([task.attempt, task.error?.retryable], [1, false]);
    assert.deepEqual((await service.run("wrong-result", { right: true })).result, { count: 1 });
  });

  await t.step("late rejections do not blame whoever came after", async () => {
    const ids = [];
    for (let i = 0; i < 20; i++) {
      ids.push(await service.submit("throws", { way: "late-rejection" }, { maxAttempts: 1 }));
      ids.push(await service.submit("throws", { way: "wait", ms: 60 }, { maxAttempts: 1 }));
    }
    for (const id of ids) {
      const task = await service.final(id);
      assert.equal(task.status, "succeeded", JSON.stringify(task.error));
    }
  });

  await t.step("what a task changes in its process is its runner's alone", async () => {
    const { error } = await service.run("denied", { way: "changes-process" }, { maxAttempts: 1 });
    assert.equal(error, undefined);
    assert.equal((await service.run("sleep", { ms: 1 })).status, "succeeded");
    assert.equal(Deno.readLinkSync(`/proc/${service.pid}/cwd`), Deno.cwd());
  });

  await t.step("a secret does not reach a task's log", async () => {
    const { id } = await service.run("denied", { way: "logs-secret" });
    assert.deepEqual((await service.logs(id)).map(({ message }) => message), ["token [redacted]"]);
  });
});
