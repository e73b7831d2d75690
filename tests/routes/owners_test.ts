/** Nobody sees another's: every route that there is, as it is registered, so that a new one cannot be forgotten. */
import assert from "node:assert/strict";
import type { Hono } from "hono";
import { uuidv7 } from "uuidv7";
import { loadConfig } from "../../config.ts";
import { createErrand } from "../../errand.ts";
import { createAdmit } from "../../routes/admit.ts";
import { Service, until } from "../service.ts";
import { bearer, KeyFile } from "./key_file.ts";
import { bench, isProblem, post } from "./support.ts";

/** Of the routes of `/v1`, those of whole things of everybody: with a key they are the same for all. */
const COMMON: readonly RegExp[] = [/^\/v1\/types(\/|$)/];

/** What the first parameter of a path names, and how an owner makes one. A new kind of thing needs a line here. */
const MAKE: readonly [prefix: string, make: (app: Hono, key: string) => Promise<string>][] = [
  ["/v1/tasks/:id", async (app, key) => {
    const made = await post(app, { type: "sleep", input: { ms: 1 } }, bearer(key));
    assert.equal(made.status, 202);
    return (await made.json()).id;
  }],
  ["/v1/files/:id", async (app, key) => {
    const made = await app.request("/v1/files", { method: "POST", headers: bearer(key), body: "hers" });
    assert.equal(made.status, 201);
    return (await made.json()).id;
  }],
  ["/v1/batches/:id", async (app, key) => {
    const made = await app.request("/v1/tasks/batch", {
      method: "POST",
      headers: { ...bearer(key), "content-type": "application/json" },
      body: JSON.stringify({ tasks: [{ type: "sleep", input: { ms: 1 } }] }),
    });
    assert.equal(made.status, 202);
    return (await made.json()).batch;
  }],
];

/** Every route of `/v1` with its method; middleware aside. */
function routesOf(app: Hono): { method: string; path: string }[] {
  return app.routes.filter(({ method, path }) => method !== "ALL" && path.startsWith("/v1/"));
}

const fill = (path: string, id: string) => path.replace(/:\w+(?:\{[^}]*\})?/, id).replace(/:\w+/g, "1");

/** All that the program has, with a key file of its own. */
async function whole(use: (app: Hono, file: KeyFile) => Promise<void>): Promise<void> {
  using file = new KeyFile();
  file.add("ada");
  const errand = await createErrand(loadConfig({ API_KEYS_FILE: file.path, DATA_DIR: file.folder }, "/"));
  try {
    await use(errand.app, file);
  } finally {
    await errand.stop();
  }
}

Deno.test("without a key every route, path and method of /v1 is the same 401", () =>
  whole(async (app) => {
    const nowhere = [{ method: "GET", path: "/v1/nowhere" }, { method: "PUT", path: "/v1/tasks" }];
    for (const { method, path } of [...routesOf(app), ...nowhere]) {
      const answer = await app.request(fill(path, uuidv7()), { method });
      assert.equal(answer.headers.get("www-authenticate"), "Bearer", `${method} ${path}`);
      assert.equal(answer.headers.get("allow"), null);
      await isProblem(answer, "unauthenticated");
    }
    for (const path of ["/livez", "/readyz", "/openapi.json", "/docs", "/problems/unauthenticated"]) {
      const answer = await app.request(path);
      await answer.body?.cancel();
      assert.equal(answer.status, 200, path);
    }
  }));

Deno.test("another owner's is byte for byte what does not exist, on every route", () =>
  whole(async (app, file) => {
    const [ada, eve] = [file.add("ada"), file.add("eve")];
    await until(
      "the keys",
      async () => (await app.request("/v1/types", { headers: bearer(eve) })).ok || undefined,
    );
    /** All of an answer but the id that was asked for. */
    const ask = async (method: string, path: string, id: string) => {
      const headers = { ...bearer(eve), "x-request-id": "r" };
      const answer = await app.request(fill(path, id), { method, headers });
      const text = (await answer.text()).replaceAll(id, "ID");
      return { status: answer.status, headers: [...answer.headers], text };
    };
    let looked = 0;
    for (const { method, path } of routesOf(app)) {
      if (!path.includes(":") || COMMON.some((common) => common.test(path))) continue;
      const make = MAKE.find(([prefix]) => path.startsWith(prefix))?.[1];
      assert.ok(make, `${path} needs a line in MAKE`);
      const hers = await make(app, ada);
      const [stranger, nobody] = [await ask(method, path, hers), await ask(method, path, uuidv7())];
      assert.equal(stranger.status, 404, `${method} ${path}: ${stranger.text}`);
      assert.deepEqual(stranger, nobody, `${method} ${path}`);
      looked++;
    }
    assert.ok(looked >= 8);
  }));

Deno.test("lists hold one's own, and an id that another uses is free", async () => {
  using file = new KeyFile();
  const [ada, eve, adaToo] = [file.add("ada"), file.add("eve"), file.add("ada")];
  const { app } = bench({ admit: createAdmit(file.ring(), Date.now) });
  const id = uuidv7();
  const submit = async (key: string, input: unknown) => {
    const answer = await post(app, { type: "any", id, input }, bearer(key));
    return [answer.status, answer.headers.get("idempotency-replayed")];
  };
  const list = async (key: string) => {
    const { tasks } = await (await app.request("/v1/tasks", { headers: bearer(key) })).json();
    return tasks.map((task: { id: string }) => task.id);
  };
  assert.deepEqual(await submit(ada, 1), [202, null]);
  assert.deepEqual(await list(eve), []);
  assert.deepEqual(await submit(eve, 2), [202, null]);
  assert.deepEqual(await submit(adaToo, 1), [202, "true"]);
  assert.deepEqual([await list(ada), await list(adaToo), await list(eve)], [[id], [id], [id]]);
  await app.request(`/v1/tasks/${id}/cancel`, { method: "POST", headers: bearer(eve) });
  const hers = await (await app.request(`/v1/tasks/${id}`, { headers: bearer(ada) })).json();
  assert.equal(hers.status, "queued");
});

Deno.test("a token of another's list opens nothing of it", async () => {
  using file = new KeyFile();
  const [ada, eve] = [file.add("ada"), file.add("eve")];
  const { app } = bench({ admit: createAdmit(file.ring(), Date.now) });
  for (let i = 0; i < 3; i++) await post(app, { type: "any", input: {} }, bearer(ada));
  const page = async (key: string, query: string) =>
    await (await app.request(`/v1/tasks?${query}`, { headers: bearer(key) })).json();
  const { nextPageToken } = await page(ada, "pageSize=1");
  assert.deepEqual(await page(eve, `pageSize=1&pageToken=${nextPageToken}`), { tasks: [] });
});

Deno.test("a real service keeps two owners apart from POST to result", async () => {
  using file = new KeyFile();
  const [ada, eve] = [file.add("ada"), file.add("eve")];
  await using service = await Service.start({ API_KEYS_FILE: file.path });
  const ask = (key: string, path: string, method = "GET", body?: string) =>
    fetch(service.url + path, {
      method,
      body,
      headers: { ...bearer(key), "content-type": "application/json", "x-request-id": "r" },
    });
  const accepted = await ask(ada, "/v1/tasks", "POST", '{"type":"sleep","input":{"ms":1}}');
  const { id } = await accepted.json();
  assert.equal(accepted.status, 202);
  const other = uuidv7();
  const seen = async (id: string, path: string, method: string) => {
    const answer = await ask(eve, path.replace("ID", id), method);
    const headers = [...answer.headers].filter(([name]) => name !== "date");
    return [answer.status, headers, (await answer.text()).replaceAll(id, "ID")];
  };
  for (
    const [method, path] of [
      ["GET", "/v1/tasks/ID"],
      ["GET", "/v1/tasks/ID/result"],
      ["GET", "/v1/tasks/ID/logs"],
      ["POST", "/v1/tasks/ID/cancel"],
      ["POST", "/v1/tasks/ID/retry"],
      ["DELETE", "/v1/tasks/ID"],
    ] as const
  ) {
    const [stranger, nobody] = [await seen(id, path, method), await seen(other, path, method)];
    assert.equal(stranger[0], 404);
    assert.deepEqual(stranger, nobody, `${method} ${path}`);
  }
  assert.deepEqual(await (await ask(eve, "/v1/tasks")).json(), { tasks: [] });
  assert.equal((await (await ask(eve, "/v1/stats")).json()).counts.succeeded, 0);
  assert.equal((await (await ask(ada, `/v1/tasks/${id}`)).json()).id, id);
});
