import assert from "node:assert/strict";
import fc from "fast-check";
import type { Hono } from "hono";
import { bench, claim, isProblem, submit, type TaskBody } from "./support.ts";

interface List {
  readonly tasks: TaskBody[];
  readonly nextPageToken?: string;
}

async function list(app: Hono, query = ""): Promise<List> {
  const answer = await app.request(`/v1/tasks${query}`);
  assert.equal(answer.status, 200, query);
  return await answer.json();
}

async function many(app: Hono, count: number, body: Record<string, unknown> = {}): Promise<string[]> {
  const ids = [];
  for (let i = 0; i < count; i++) ids.push((await submit(app, body)).id);
  return ids;
}

Deno.test("an empty list is a list", async () => {
  assert.deepEqual(await list(bench().app), { tasks: [] });
});

Deno.test("pages give every task once, newest first, by token and by Link", async () => {
  const { app } = bench();
  const ids = await many(app, 7);
  const seen: string[] = [];
  let path: string | undefined = "/v1/tasks?pageSize=3&status=queued&type=any";
  while (path !== undefined) {
    const answer: Response = await app.request(path);
    const { tasks, nextPageToken }: List = await answer.json();
    seen.push(...tasks.map(({ id }) => id));
    path = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get("link") ?? "")?.[1];
    assert.equal(path === undefined, nextPageToken === undefined);
    if (path !== undefined) {
      const parameters = new URLSearchParams(path.split("?")[1]);
      assert.equal(parameters.get("pageToken"), nextPageToken);
      assert.equal(parameters.get("pageSize"), "3");
    }
    // A task created meanwhile moves nothing.
    await submit(app, { type: "send-email", input: { to: [], subject: "" } });
  }
  assert.deepEqual(seen, ids.reverse());
});

Deno.test("a page has fifty tasks unless said otherwise", async () => {
  const { app } = bench();
  await many(app, 51);
  const { tasks, nextPageToken } = await list(app);
  assert.equal(tasks.length, 50);
  assert.equal((await list(app, `?pageToken=${nextPageToken}`)).tasks.length, 1);
  assert.equal((await list(app, `?pageToken=${nextPageToken}&pageSize=200`)).tasks.length, 1);
});

Deno.test("filters combine: any of a name's values, all of the names", async () => {
  const { app, pass } = bench();
  const [first] = await many(app, 1);
  pass(1000);
  const [mail] = await many(app, 1, { type: "send-email", input: { to: [], subject: "" } });
  pass(1000);
  const [last] = await many(app, 1, { delay: "1h" });
  const ids = async (query: string) => (await list(app, query)).tasks.map(({ id }) => id);
  assert.deepEqual(await ids("?type=any"), [last, first]);
  assert.deepEqual(await ids("?type=any&type=send-email&status=queued"), [mail, first]);
  assert.deepEqual(await ids("?status=scheduled&status=queued"), [last, mail, first]);
  assert.deepEqual(await ids("?createdAfter=2030-01-01T00:00:01Z&createdBefore=2030-01-01T00:00:02Z"), [
    mail,
  ]);
  // An offset whose plus nobody encoded.
  assert.deepEqual(await ids("?createdAfter=2030-01-01T01:00:02+01:00"), [last]);
  assert.deepEqual(await ids("?type=nope"), []);
});

const WRONG = [
  "pageSize=-1",
  "pageSize=0",
  "pageSize=201",
  "pageSize=1e1",
  "pageSize=",
  "pageSize=1.5",
  "pageSize=%00",
  "pageSize=1&pageSize=2",
  "status=done",
  "status=",
  "status=queued,running",
  "createdAfter=yesterday",
  "createdBefore=2030",
  "createdBefore=9999-12-31T23:59:59-23:59",
  "unknown=1",
  "__proto__=1",
  "Status=queued",
  "pageToken=",
  "pageToken=%00",
  "pageToken=AAAAAAAAAAAAAAAAAAAA",
  "pageToken=é",
  "pageToken=a&pageToken=b",
  Array(101).fill("type=a").join("&"),
];
for (const query of WRONG) {
  Deno.test(`?${query.slice(0, 60)} is a 422 that names the parameter`, async () => {
    const { detail } = await isProblem(await bench().app.request(`/v1/tasks?${query}`), "validation-failed");
    assert.ok(detail?.includes(query.split("=")[0]!), detail);
  });
}

Deno.test("a page token is good for its own filter only", async () => {
  const { app } = bench();
  await many(app, 3);
  const { nextPageToken: token } = await list(app, "?pageSize=1&type=any&type=send-email");
  await list(app, `?type=send-email&type=any&pageToken=${token}`);
  for (const query of ["type=any", "type=any&type=send-email&status=queued", "pageSize=1"]) {
    await isProblem(await app.request(`/v1/tasks?${query}&pageToken=${token}`), "validation-failed");
  }
  const changed = token!.slice(0, -1) + (token!.endsWith("A") ? "B" : "A");
  const query = `type=any&type=send-email&pageToken=${changed}`;
  await isProblem(await app.request(`/v1/tasks?${query}`), "validation-failed");
});

Deno.test("a page ends early where its results are large, and the next one goes on right behind it", async () => {
  const { app, store } = bench();
  const ids = await many(app, 11);
  // One is larger than a page may be.
  for (let turn = 0; turn < ids.length; turn++) {
    const result = JSON.stringify("x".repeat(turn === 5 ? 6e6 : 1e6));
    await store.settle([{ token: await claim(store), to: "succeeded", result }]);
  }
  const seen: string[] = [];
  const sizes: number[] = [];
  let query: string | undefined = "?pageSize=9";
  while (query !== undefined) {
    const { tasks, nextPageToken } = await list(app, query);
    seen.push(...tasks.map(({ id }) => id));
    sizes.push(tasks.length);
    query = nextPageToken && `?pageSize=9&pageToken=${nextPageToken}`;
  }
  assert.deepEqual(seen, ids.reverse());
  assert.deepEqual(sizes, [4, 1, 1, 4, 1]);
});

Deno.test("whatever the query, the answer is a list or a 422", async () => {
  const { app, logged } = bench();
  await many(app, 3);
  const name = fc.constantFrom(
    "status",
    "type",
    "createdAfter",
    "createdBefore",
    "pageSize",
    "pageToken",
    "x",
  );
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("queued", "any", "2"),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  );
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(name, value), { maxLength: 4 }), async (pairs) => {
    const query = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`).join(
      "&",
    );
    const answer = await app.request(`/v1/tasks?${query}`);
    assert.ok(answer.status === 200 || answer.status === 422, `${answer.status}`);
    await answer.body?.cancel();
  }));
  assert.deepEqual(logged, []);
});
