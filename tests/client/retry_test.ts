import assert from "node:assert/strict";
import { createClient, ErrandProblem } from "../../client/mod.ts";
import { served } from "./service.ts";

type Answer = Response | "silence";

/** A server that answers as told, one after the other, and notes what it was asked. */
function scripted(...answers: (Answer | (() => Answer))[]) {
  const asked: { headers: Headers; body: string; at: number }[] = [];
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const next = answers[Math.min(asked.length, answers.length - 1)]!;
    asked.push({ headers: request.headers, body: await request.text(), at: performance.now() });
    const answer = typeof next === "function" ? next() : next;
    if (answer !== "silence") return answer;
    await over;
    return new Response();
  });
  const url = `http://127.0.0.1:${server.addr.port}`;
  return {
    url,
    asked,
    client: (options: { timeout?: number; retries?: number; maxDelay?: number } = {}) =>
      createClient({ url, baseDelay: 1, ...options }),
    async [Symbol.asyncDispose]() {
      end();
      await server.shutdown();
    },
  };
}

const problem = (status: number, code: string, headers: Record<string, string> = {}) => () =>
  new Response(JSON.stringify({ type: `/problems/${code}`, title: code, status, code, requestId: "r" }), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });
const types = () => Response.json({ types: [] });

async function problemOf(work: Promise<unknown>): Promise<ErrandProblem> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof ErrandProblem, String(error));
    return error;
  }
  assert.fail("nothing was wrong");
}

Deno.test("who is busy is asked again, when it says", async () => {
  const busy = problem(429, "rate-limited", { "retry-after": "1" });
  await using server = scripted(problem(503, "queue-full"), busy, types);
  assert.deepEqual(await server.client().types(), []);
  assert.equal(server.asked.length, 3);
  const [, second, third] = server.asked;
  assert.ok(third!.at - second!.at >= 990);
});

Deno.test("who asks to be left alone for longer than one waits is left alone", async () => {
  const far = new Date(Date.now() + 3_600_000).toUTCString();
  await using server = scripted(problem(503, "draining", { "retry-after": far }));
  const { code, retryAfter, requestId } = await problemOf(server.client().types());
  assert.deepEqual([code, requestId, server.asked.length], ["draining", "r", 1]);
  assert.ok(retryAfter! > 3_500_000);
});

Deno.test("a refusal is final, whatever stands in front of the service", async () => {
  await using server = scripted(
    problem(422, "validation-failed"),
    () => new Response("<h1>Not Found</h1>", { status: 404, headers: { "content-type": "text/html" } }),
    () => new Response("oops", { headers: { "content-type": "application/json" } }),
    () => Response.redirect("https://example.com/", 302),
  );
  const client = server.client({ retries: 0 });
  const codes: string[] = [];
  for (let n = 0; n < 4; n++) codes.push((await problemOf(client.types())).code);
  assert.deepEqual(codes, ["validation-failed", "http-error", "unreadable-answer", "unreachable"]);
  assert.equal(server.asked.length, 4);
});

Deno.test("who is not there is unreachable, after all tries", async () => {
  let tries = 0;
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  const client = createClient({
    url: `http://127.0.0.1:${listener.addr.port}/below`,
    baseDelay: 1,
    retries: 3,
    fetch: (input, init) => (tries++, fetch(input, init)),
  });
  const { code, status, message, cause } = await problemOf(client.types());
  assert.deepEqual([code, status, tries], ["unreachable", 0, 4]);
  assert.match(message, /^No answer from http:\/\/127\.0\.0\.1:\d+\/below; /);
  assert.ok(cause instanceof Error);
});

Deno.test("who is silent is asked again", async () => {
  await using server = scripted("silence", types);
  assert.deepEqual(await server.client({ timeout: 100 }).types(), []);
  assert.equal(server.asked.length, 2);
});

Deno.test("a stream is sent once: by the second time it has been read", async () => {
  await using server = scripted(problem(503, "draining"));
  const body = ReadableStream.from([new TextEncoder().encode("x")]);
  assert.equal((await problemOf(server.client().files.upload(body))).code, "draining");
  assert.equal(server.asked.length, 1);
  assert.equal((await problemOf(server.client().files.upload("x"))).code, "draining");
  assert.equal(server.asked.length, 1 + 6);
});

Deno.test("each submission has a key of its own, which its repeats keep", async () => {
  await using server = scripted(problem(503, "queue-full"), problem(422, "validation-failed"));
  for (const _ of [1, 2]) await problemOf(server.client().tasks.submit("sleep", { ms: 1 }));
  const keys = server.asked.map(({ headers }) => headers.get("idempotency-key"));
  assert.equal(keys.length, 3);
  assert.match(keys[0]!, /^[0-9a-f]{32}$/);
  assert.equal(keys[1], keys[0]);
  assert.notEqual(keys[2], keys[1]);
});

Deno.test("the key goes along, and a path of the URL stays", async () => {
  await using server = scripted(types);
  const urls: string[] = [];
  const client = createClient({
    url: `${server.url}/background/?x`,
    key: "errand_secret",
    fetch: (input, init) => (urls.push(String(input)), fetch(input, init)),
  });
  await client.types();
  assert.equal(server.asked[0]!.headers.get("authorization"), "Bearer errand_secret");
  assert.deepEqual(urls, [`${server.url}/background/v1/types`]);
});

Deno.test("an answer that is lost on its way makes no second task", async () => {
  await using service = await served();
  let lose = 3;
  const client = service.client({
    async fetch(input, init) {
      const answer = await fetch(input, init);
      if (init?.method !== "POST" || lose-- <= 0) return answer;
      await answer.body?.cancel();
      throw new TypeError("connection reset");
    },
  });
  const task = await client.tasks.submit("sleep", { ms: 0 });
  lose = 2;
  const batch = await client.batches.submit([{ type: "sleep", input: { ms: 0 } }]);
  assert.deepEqual((await Array.fromAsync(client.tasks.list())).map(({ id }) => id), [
    ...batch.tasks!,
    task.id,
  ]);
});
