import assert from "node:assert/strict";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { defineTask } from "../../tasks/mod.ts";
import { probe } from "../../workers/probe.ts";
import { type Readiness, Service, until } from "../service.ts";

const BROKEN = fileURLToPath(new URL("../fixtures/broken", import.meta.url));

Deno.test("a task file that does not load hides no other", async (t) => {
  await using service = await Service.start({ TASKS_DIR: BROKEN, LOAD_TIMEOUT: "2s" });
  const faults: Record<string, RegExp> = {
    "throws-at-import": /not today/,
    "hangs-at-import": /did not load within 2000 ms/,
    "exits-at-import": /ended the process/,
    "no-task": /not from defineTask/,
    "no-import": /missing_file|Module not found/,
    "no-library": /library-that-is-not-there/,
    "bad-options": /timeout: must be a duration such as "30s", 24 days at most/,
    "permits-nothing": /permissions\(\) answers is wrong: it: /,
    "permits-text": /net: must be true, or a list/,
    "permits-later": /must not be a promise/,
    "permits-commas": /read\.0: must be neither empty nor hold a comma/,
    "forged": /not from defineTask/,
    "says-nothing": /without a message/,
  };
  const { types } = await (await service.call("GET", "/v1/types")).json();
  const { status, notices }: Readiness = await (await service.call("GET", "/readyz?verbose")).json();

  for (const [type, why] of Object.entries(faults)) {
    await t.step(type, async () => {
      const { available, unavailable } = types.find((each: { type: string }) => each.type === type);
      assert.equal(available, false);
      assert.match(unavailable, why);
      assert.doesNotMatch(unavailable, /file:|\//);
      assert.ok(notices!.some((notice) => notice.includes(type)));
      const response = await service.call("POST", "/v1/tasks", { type, input: {} });
      assert.equal(response.status, 503);
      assert.equal((await response.json()).code, "type-unavailable");
    });
  }

  await t.step("the log has the paths that clients do not see", () => {
    const { unavailable } = types.find((each: { type: string }) => each.type === "no-import");
    assert.match(unavailable, /"missing_file\.ts"/);
    assert.match(service.program.output(), /no-import is unavailable: .*file:\/\/\/.*\/missing_file\.ts/);
  });

  await t.step("files that are ignored are told", () => {
    const ignored = service.program.output().split("\n").filter((line) => line.includes("is ignored"));
    assert.equal(ignored.length, 2, ignored.join("\n"));
    assert.ok(ignored.some((line) => /Badly-Named\.ts is ignored: the name/.test(line)));
    assert.ok(ignored.some((line) => /sleep\.ts is ignored: there is a task type sleep already/.test(line)));
  });

  await t.step("a runner that cannot start leaves its last words in the log, and there alone", async () => {
    const id = await service.submit("permits-nonsense", {});
    await until("the log", () => /A runner died.*"lastWords":"[^"]*no-port/.test(service.program.output()));
    assert.doesNotMatch(JSON.stringify([await service.get(id), await service.ready()]), /no-port/);
  });

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
  // It concerns nobody who does not use it, so the service is ready.
  const { status, notices } = await service.ready();
  assert.deepEqual([status, notices?.length], ["ok", 1]);
  assert.match(notices![0]!, /^The task type sets-up is unavailable: no connection/);
  const { types } = await (await service.call("GET", "/v1/types")).json();
  const told = types.find(({ type }: { type: string }) => type === "sets-up");
  assert.deepEqual([told.available, told.unavailable], [false, "no connection"]);
  assert.equal((await service.run("throws", { way: "quick" })).status, "succeeded");
  // It is tried again when its time has come.
  assert.equal((await service.run("sets-up", {})).error?.code, "handler_load_failed");
  await stopWatching();
});

Deno.test("files that hang at import are given up at the same time", async () => {
  const folder = Deno.makeTempDirSync();
  const modules = Array.from({ length: Math.min(4, navigator.hardwareConcurrency) }, (_, i) => {
    Deno.writeTextFileSync(
      `${folder}/hangs${i}.ts`,
      "await new Promise(() => setInterval(() => {}, 1_000));",
    );
    return pathToFileURL(`${folder}/hangs${i}.ts`).href;
  });
  const began = performance.now();
  const faults = await probe(modules, Deno.env.toObject(), 3_000);
  const took = performance.now() - began;
  assert.deepEqual(
    modules.map((each) => faults.get(each)),
    modules.map(() => "It did not load within 3000 ms."),
  );
  assert.ok(took < 5_500, `${took} ms`);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a timeout that a timer could not hold is refused", () => {
  const withTimeout = (timeout: string) => defineTask({ input: z.null(), timeout, run: () => 1 }).timeout;
  assert.equal(withTimeout("24d"), 24 * 86_400_000);
  assert.throws(() => withTimeout("25d"), /timeout: must be .* 24 days at most/);
});

Deno.test("every wrong entry of the permissions is named", () => {
  const permissions = { read: ["/a,b", "/c", ""], net: ["a:1,b:2"] };
  assert.throws(
    () => defineTask({ input: z.null(), permissions, run: () => 1 }),
    /permissions\.net\.0: .*permissions\.read\.0: .*permissions\.read\.2: /,
  );
});
