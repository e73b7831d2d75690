import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { idempotencyKey } from "../../routes/idempotency.ts";
import { Problem } from "../../routes/problem.ts";
import { Service } from "../service.ts";
import type { TaskType } from "../../tasks/lib/registry.ts";
import { ANY as ANYTHING, bench, isProblem, post, type TaskBody, typeOf } from "./support.ts";

const ANY = { type: "any", input: 1 };
const KEY = { "idempotency-key": "a" };

async function bodyOf(response: Response): Promise<TaskBody & { code?: string }> {
  return await response.json();
}

Deno.test("a repeat with the same idempotency key and body answers the same task", async () => {
  const { app } = bench();
  const first = await post(app, ANY, { "idempotency-key": '"a-1"' });
  equal(first.headers.get("idempotency-replayed"), null);
  const again = await post(app, ANY, { "idempotency-key": "a-1" });
  deepEqual([again.status, again.headers.get("idempotency-replayed")], [202, "true"]);
  equal((await bodyOf(again)).id, (await bodyOf(first)).id);
});

Deno.test("another body under the same idempotency key is 422", async () => {
  const { app, store } = bench();
  await post(app, ANY, { "idempotency-key": "a" });
  const other = await post(app, { ...ANY, input: 2 }, { "idempotency-key": "a" });
  deepEqual([other.status, (await bodyOf(other)).code], [422, "idempotency-key-reused"]);
  equal((await store.list("", { limit: 9 })).tasks.length, 1);
});

Deno.test("a repeat is answered although its type and its files have gone, and is not made again", async () => {
  const types: [string, TaskType][] = [typeOf("passing", ANYTHING)];
  const { app, store } = bench({ types });
  const first = await bodyOf(await post(app, { ...ANY, type: "passing" }, KEY));
  types[0]![1] = { ...types[0]![1], unavailable: "It is gone." };
  const gone = bench({ types, store });
  await isProblem(await post(gone.app, { ...ANY, type: "passing" }), "type-unavailable");
  const again = await post(gone.app, { ...ANY, type: "passing" }, KEY);
  deepEqual([again.status, (await bodyOf(again)).id], [202, first.id]);
});

Deno.test("a key whose task was deleted makes no other", async () => {
  const { app, store } = bench();
  const { id } = await bodyOf(await post(app, ANY, KEY));
  await app.request(`/v1/tasks/${id}/cancel`, { method: "POST" });
  await app.request(`/v1/tasks/${id}`, { method: "DELETE" });
  await isProblem(await post(app, ANY, KEY), "task-expired");
  deepEqual((await store.list("", { limit: 9 })).tasks, []);
});

Deno.test("a body that was refused leaves its idempotency key free", async () => {
  const { app } = bench();
  equal((await post(app, { type: "any" }, { "idempotency-key": "a" })).status, 422);
  equal((await post(app, ANY, { "idempotency-key": "a" })).status, 202);
});

for (const bad of ["", '""', "a b", "ä", '"a', "x".repeat(256), "a".repeat(1_000_000), "\u0007"]) {
  Deno.test(`an idempotency key such as ${JSON.stringify(bad.slice(0, 20))} is refused`, () => {
    let code: unknown;
    try {
      idempotencyKey(bad);
    } catch (error) {
      ok(error instanceof Problem);
      code = error.code;
    }
    equal(code, "invalid-idempotency-key");
  });
}

Deno.test("every key of visible ASCII is the same quoted and bare", () => {
  const visible = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 255,
  });
  fc.assert(fc.property(visible, (key) => {
    equal(idempotencyKey(`"${key.replace(/["\\]/g, "\\$&")}"`), key);
    if (!/["\\]/.test(key)) equal(idempotencyKey(key), key);
  }));
});

Deno.test("100 equal requests at once over HTTP make one task", async () => {
  await using service = await Service.start();
  const submit = () =>
    fetch(`${service.url}/v1/tasks`, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "once" },
      body: JSON.stringify({ type: "sleep", input: { ms: 1 } }),
    });
  const answers = await Promise.all(Array.from({ length: 100 }, submit));
  const bodies = await Promise.all(answers.map(async (answer) => [answer, await bodyOf(answer)] as const));
  const ids = new Set(bodies.flatMap(([answer, { id }]) => answer.status === 202 ? [id] : []));
  equal(ids.size, 1);
  const fresh = bodies.filter(([{ status, headers }]) =>
    status === 202 && !headers.has("idempotency-replayed")
  );
  equal(fresh.length, 1);
  for (const [{ status }, { code }] of bodies) ok(status === 202 || code === "idempotency-in-progress");
  const { tasks } = await (await fetch(`${service.url}/v1/tasks`)).json();
  equal(tasks.length, 1);
});

Deno.test("a unique key: return, reject and replace", async () => {
  const { app } = bench();
  const submit = async (onConflict?: string, key = "invoice") => {
    const response = await post(app, { ...ANY, uniqueKey: { key, onConflict } });
    return { response, body: await bodyOf(response) };
  };
  const first = await submit();
  const second = await submit("return");
  deepEqual([second.response.status, second.body.id], [202, first.body.id]);
  equal(second.response.headers.get("errand-existing"), "true");
  const third = await submit("reject");
  deepEqual([third.response.status, third.body.code], [409, "unique-conflict"]);
  const fourth = await submit("replace");
  equal(fourth.response.status, 202);
  const replaced = await (await app.request(`/v1/tasks/${first.body.id}`)).json();
  equal(replaced.status, "cancelled");
});

for (
  const [uniqueKey, pointer] of [
    ["x", "#/uniqueKey"],
    [{}, "#/uniqueKey/key"],
    [{ key: "a", for: "ever" }, "#/uniqueKey/for"],
    [{ key: "a", onConflict: "shout" }, "#/uniqueKey/onConflict"],
    [{ key: "" }, "#/uniqueKey/key"],
  ] as const
) {
  Deno.test(`a unique key such as ${JSON.stringify(uniqueKey)} is refused at ${pointer}`, async () => {
    const response = await post(bench().app, { ...ANY, uniqueKey });
    equal(response.status, 422);
    deepEqual((await response.json()).errors.map((flaw: { pointer: string }) => flaw.pointer), [pointer]);
  });
}
