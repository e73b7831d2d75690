import assert from "node:assert/strict";
import { HTTPException } from "hono/http-exception";
import { z } from "zod";
import type { Files } from "../../queue/files/files.ts";
import { Problem } from "../../routes/problem.ts";
import { defineTask } from "../../tasks/mod.ts";
import { bench, isProblem, post, submit, typeOf } from "./support.ts";

Deno.test("an unknown path is 404", async () => {
  const { app } = bench();
  for (
    const path of [
      "/v1",
      "/v1/tasks/",
      "/v1/tasks/1/2/3",
      "//v1/tasks",
      "/v1/Tasks",
      "/v1/tasks%00",
      "/%",
    ]
  ) {
    await isProblem(await app.request(path), "not-found");
  }
});

const ALLOWED: readonly [path: string, allow: string, wrong: string][] = [
  ["/v1/tasks", "GET, HEAD, POST", "PUT"],
  ["/v1/tasks/1", "GET, HEAD, DELETE", "POST"],
  ["/v1/tasks/1/cancel", "POST", "GET"],
  ["/v1/tasks/1/cancel", "POST", "HEAD"],
  ["/v1/tasks/1/result", "GET, HEAD", "DELETE"],
  ["/livez", "GET, HEAD", "OPTIONS"],
  ["/v1/types", "GET, HEAD", "QUERY"],
];
for (const [path, allow, wrong] of ALLOWED) {
  Deno.test(`${wrong} ${path} is 405 and tells what is allowed`, async () => {
    const answer = await bench().app.request(path, { method: wrong });
    assert.equal(answer.headers.get("allow"), allow);
    if (wrong === "HEAD") return assert.equal(answer.status, 405);
    await isProblem(answer, "method-not-allowed");
  });
}

Deno.test("405 is told from 404 also where middleware covers every path", async () => {
  const { app } = bench();
  app.use("*", (_, next) => next());
  await isProblem(await app.request("/nowhere"), "not-found");
  assert.equal((await app.request("/livez", { method: "POST" })).headers.get("allow"), "GET, HEAD");
});

Deno.test("HEAD is answered like GET, without the body", async () => {
  const answer = await bench().app.request("/livez", { method: "HEAD" });
  assert.deepEqual([answer.status, await answer.text()], [200, ""]);
});

Deno.test("a client's request id is kept where it is harmless", async () => {
  const { app } = bench();
  const idFor = async (id: string) => {
    const answer = await app.request("/nowhere", { headers: { "x-request-id": id } });
    return (await isProblem(answer, "not-found")).requestId;
  };
  assert.equal(await idFor("abc-123~!"), "abc-123~!");
  for (const id of ["", "a b", "é", "x".repeat(129)]) assert.match(await idFor(id), /^[0-9a-f-]{36}$/);
});

Deno.test("a problem names the path as it was sent", async () => {
  const answer = await bench().app.request("/%3Cscript%3E/%0a?secret=1");
  assert.equal((await isProblem(answer, "not-found")).instance, "/%3Cscript%3E/%0a");
});

Deno.test("an unexpected exception is a 500 that tells nothing, and is logged", async () => {
  const { app, store, logged } = bench();
  const boom = new Error("password=hunter2");
  store.get = () => Promise.reject(boom);
  const { links } = await submit(app);
  const problem = await isProblem(await app.request(links.self!), "internal-error");
  assert.deepEqual([problem.detail, problem.errors], [undefined, undefined]);
  assert.deepEqual(logged, [boom]);
});

Deno.test("an exception of middleware keeps its status and its headers", async () => {
  const { app } = bench();
  app.get("/guarded", () => {
    const res = new Response("no", { headers: { "www-authenticate": "Bearer" } });
    throw new HTTPException(401, { message: "Who are you?", res });
  });
  app.get("/odd", () => {
    throw new HTTPException(418);
  });
  app.get("/broken", () => {
    throw new HTTPException(502, { message: "secret" });
  });
  const guarded = await app.request("/guarded");
  assert.equal(guarded.headers.get("www-authenticate"), "Bearer");
  assert.equal((await isProblem(guarded, "unauthenticated")).detail, "Who are you?");
  await isProblem(await app.request("/odd"), "bad-request");
  assert.equal((await isProblem(await app.request("/broken"), "internal-error")).detail, undefined);
});

Deno.test("types are described with the schemas of their inputs and results", async () => {
  const odd = defineTask({
    input: z.string().transform(Number),
    isolation: "process",
    concurrency: 2,
    run: () => 1,
  });
  const { app } = bench({
    types: [typeOf("odd", odd), typeOf("broken", undefined, "has a syntax error")],
  });
  const { types } = await (await app.request("/v1/types")).json();
  const byName = Object.fromEntries(types.map((type: { type: string }) => [type.type, type]));
  assert.deepEqual(Object.keys(byName), ["any", "send-email", "odd", "broken"]);
  assert.equal(byName.any.description, "Takes anything");
  const mail = byName["send-email"];
  assert.deepEqual(mail.input.required, ["to", "subject"]);
  assert.deepEqual(mail.result.properties, { messageId: { type: "string" } });
  const { isolation, concurrency, timeout, maxAttempts, available } = mail;
  assert.deepEqual([isolation, concurrency, timeout, maxAttempts, available], [
    "shared",
    32,
    "1500ms",
    3,
    true,
  ]);
  assert.equal(byName.odd.input.type, "string");
  assert.equal(byName.any.timeout, "60s");
  const broken = { type: "broken", available: false, unavailable: "has a syntax error" };
  assert.deepEqual(byName.broken, broken);
});

Deno.test("stats count tasks by status and by type, with zeros", async () => {
  const { app } = bench({ finished: () => 17 });
  const none = { scheduled: 0, queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
  assert.deepEqual(await (await app.request("/v1/stats")).json(), { counts: none, types: {}, finished: 17 });
  await submit(app);
  await submit(app, { delay: "1h" });
  await submit(app, { type: "send-email", input: { to: [], subject: "" } });
  const { counts, types } = await (await app.request("/v1/stats")).json();
  assert.deepEqual(counts, { ...none, queued: 2, scheduled: 1 });
  assert.deepEqual(types.any, { ...none, queued: 1, scheduled: 1 });
});

Deno.test("livez answers as long as there is a process, readyz only while work is welcome", async () => {
  let draining = false;
  const problems: string[] = [];
  const health = { draining: () => draining, problems: () => problems, notices: () => ["RUNNERS=off"] };
  const { app } = bench({ health });
  const ready = async () => {
    const answer = await app.request("/readyz");
    return [answer.status, await answer.json()];
  };
  assert.deepEqual(await ready(), [200, { status: "ok", notices: ["RUNNERS=off"] }]);
  problems.push("no runner starts");
  const [status, body] = await ready();
  assert.deepEqual([status, body.problems], [503, ["no runner starts"]]);
  problems.pop();
  draining = true;
  assert.equal((await ready())[0], 503);
  const live = await app.request("/livez");
  assert.deepEqual([live.status, await live.json()], [200, { status: "ok" }]);
});

Deno.test("every answer forbids sniffing", async () => {
  const { app } = bench();
  const task = await submit(app);
  for (const path of ["/livez", "/readyz", "/v1/types", "/v1/stats", "/v1/tasks", task.links.self!, "/x"]) {
    assert.equal((await app.request(path)).headers.get("x-content-type-options"), "nosniff", path);
  }
  assert.equal((await post(app, "")).headers.get("x-content-type-options"), "nosniff");
});

Deno.test("below a path, too, an answer that cuts the connection is the problem that it is", async () => {
  const put = () => Promise.reject(new Problem("length-required", "Too small.", { cut: true }));
  const { app } = bench({ base: "/b", files: { fileMax: 9, put } as unknown as Files });
  const answer = await app.request("/b/v1/files", { method: "POST", body: "x" });
  const reader = answer.body!.getReader();
  const { type } = JSON.parse(new TextDecoder().decode((await reader.read()).value));
  assert.deepEqual([answer.status, type], [411, "/b/problems/length-required"]);
  await assert.rejects(reader.read(), { name: "AbortError" });
});
