import assert from "node:assert/strict";
import sleep from "../../tasks/sleep.ts";
import { contextFor, perform } from "./context.ts";

Deno.test("sleep waits as long as it was told", async () => {
  const result = await perform(sleep, { ms: 20 }, contextFor());
  const { sleptMs } = result as { sleptMs: number };
  assert.ok(sleptMs >= 19, `${sleptMs}`);
});

Deno.test("sleep ends at once when it is aborted, and leaves no timer", async () => {
  const controller = new AbortController();
  const reason = new DOMException("cancelled", "AbortError");
  const sleeping = perform(sleep, { ms: 86_400_000 }, contextFor({ signal: controller.signal }));
  controller.abort(reason);
  await assert.rejects(sleeping, (error) => error === reason);
});

// tasks/sleep.ts listens for an abort that has been: it needs `if (signal.aborted) return done();` first.
Deno.test("sleep that was aborted before it began does not wait", async () => {
  const reason = new DOMException("shutdown", "AbortError");
  const sleeping = perform(sleep, { ms: 86_400_000 }, contextFor({ signal: AbortSignal.abort(reason) }));
  await assert.rejects(sleeping, (error) => error === reason);
});

for (const ms of [-1, 1.5, 86_400_001, "10", null]) {
  Deno.test(`sleep refuses ${JSON.stringify(ms)} milliseconds`, () => {
    assert.deepEqual(sleep.input.safeParse({ ms }).error?.issues[0]?.path, ["ms"]);
  });
}
