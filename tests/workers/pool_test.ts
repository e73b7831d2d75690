import assert from "node:assert/strict";
import { Pool } from "../../workers/pool.ts";
import type { PoolSpec, Report } from "../../workers/messages.ts";
import { pause, until } from "../service.ts";

function scene(spec: Partial<PoolSpec> = {}) {
  const told: Report[] = [];
  const pool = new Pool({
    type: "throws",
    module: new URL("../fixtures/throws.ts", import.meta.url).href,
    resultMax: 1_000,
    secrets: [],
    workers: 1,
    tasksPerWorker: 2,
    grace: 200,
    loadTimeout: 10_000,
    memory: 512,
    ...spec,
  }, (report) => told.push(report));
  return {
    pool,
    told,
    run: (key: number, way: string, ms = 0, timeout = 10_000) =>
      pool.take(["run", key, "id", 1, timeout, JSON.stringify({ way, ms })]),
    answer: (key: number) =>
      until(
        `the answer to ${key}`,
        () =>
          told.find((report) =>
            report[0] === "released" ? report[1].includes(key) : report[0] !== "log" && report[1] === key
          ),
      ),
  };
}

// Threads that are terminated take a moment to go, and say nothing of it.
const options = { sanitizeOps: false, sanitizeResources: false };

Deno.test("every run is answered, and more than have room wait", options, async () => {
  const { pool, told, run, answer } = scene();
  for (let key = 1; key <= 5; key++) run(key, "wait", 30);
  for (let key = 1; key <= 5; key++) assert.equal((await answer(key))[0], "done");
  assert.deepEqual(told.filter((report) => report[0] === "ready").length, 1);
  assert.deepEqual(pool.running, []);
  pool.close();
});

Deno.test("a stop before it began leaves it unstarted; one afterwards is obeyed", options, async () => {
  const { pool, told, run, answer } = scene();
  run(1, "wait", 60_000);
  run(2, "wait", 60_000);
  run(3, "quick");
  pool.take(["stop", 3, "cancelled"]);
  pool.take(["stop", 1, "cancelled"]);
  assert.deepEqual(await answer(3), ["released", [3], "unstarted"]);
  assert.deepEqual(await answer(1), ["released", [1], "unstarted"]);
  await until("its begin", () => told.some((report) => report[0] === "ready"));
  await pause(50);
  pool.take(["stop", 2, "cancelled"]);
  const answered = await answer(2);
  assert.ok(answered[0] === "fail" && answered[2].code === "cancelled");
  pool.close();
});

Deno.test(
  "a floating rejection fails its own run; the neighbour finishes; the worker is replaced",
  options,
  async () => {
    const { pool, run, answer } = scene();
    run(1, "wait", 200);
    run(2, "floating-rejection");
    const blamed = await answer(2);
    assert.ok(blamed[0] === "fail" && blamed[2].code === "unhandled_rejection");
    run(3, "quick");
    assert.equal((await answer(3))[0], "done");
    assert.equal((await answer(1))[0], "done");
    pool.close();
  },
);

Deno.test("a module that is not there cannot be loaded", options, async () => {
  const { pool, run, answer } = scene({ module: "file:///none.ts" });
  run(1, "quick");
  const answered = await answer(1);
  assert.ok(answered[0] === "fail" && answered[2].code === "handler_load_failed");
  pool.close();
});

Deno.test(
  "a thread that does not end condemns its process; until then nothing begins in it",
  options,
  async () => {
    const module = new URL("../fixtures/hangs.ts", import.meta.url).href;
    const { pool, told, run, answer } = scene({ module, type: "hangs" });
    // Ends by itself after a while, since this process is not a runner that could be killed.
    const block = { way: "blocks", ms: 1_500 };
    pool.take(["run", 1, "id", 1, 100, JSON.stringify(block)]);
    const late = await answer(1);
    assert.ok(late[0] === "fail" && late[2].code === "timeout");
    run(2, "quick");
    assert.deepEqual(await answer(2), ["released", [2], "unstarted"]);
    assert.deepEqual(told.at(-1), ["condemned", "stuck", "A thread does not end.", []]);
    pool.close();
  },
);
