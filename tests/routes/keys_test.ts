/** Keys as the routes see them: found, refused, limited and revoked. */
import assert from "node:assert/strict";
import type { Files } from "../../queue/files/files.ts";
import { createAdmit } from "../../routes/admit.ts";
import { changeKeyFile } from "../../routes/keys/file.ts";
import type { KeyRing } from "../../routes/keys/ring.ts";
import { until } from "../service.ts";
import { bearer, KeyFile } from "./key_file.ts";
import { bench, isProblem, post, type Setting } from "./support.ts";

function keyed(ring: KeyRing, now = Date.now, more: Setting = {}) {
  return bench({ admit: createAdmit(ring, now), ...more });
}

/** Aborts within a second, as was promised. */
async function aborts(signal: AbortSignal): Promise<void> {
  const since = performance.now();
  await until("the signal to abort", () => signal.aborted || undefined);
  assert.ok(performance.now() - since < 1_000);
}

Deno.test("a key lets its owner in, and nothing else lets anybody in", async () => {
  using file = new KeyFile();
  const key = file.add("ada");
  const other = file.add("bob");
  const { app } = keyed(file.ring());
  for (const scheme of ["Bearer", "bearer", "BEARER"]) {
    const answer = await app.request("/v1/tasks", { headers: { authorization: `${scheme} ${key}` } });
    assert.equal(answer.status, 200);
  }
  const [, id, secret] = key.split("_") as [string, string, string];
  const wrong = [
    undefined,
    "",
    "Bearer",
    key,
    `Basic ${key}`,
    `Bearer ${key}0`,
    `Bearer ${key} x`,
    `Bearer errand_${id}_${"0".repeat(64)}`,
    `Bearer errand_${"0".repeat(12)}_${secret}`,
    `Bearer errand_${id}_${other.split("_")[2]}`,
    `Bearer errand_${id}_`,
    `Bearer errand_${id}_${secret.toUpperCase().replace(/^./, "A")}`,
    `Bearer ${"x".repeat(10_000)}`,
    "Bearer __proto__",
  ];
  for (const authorization of wrong) {
    const answer = await app.request(
      "/v1/tasks",
      authorization === undefined ? {} : { headers: { authorization } },
    );
    assert.equal(answer.headers.get("www-authenticate"), "Bearer", authorization);
    await isProblem(answer, "unauthenticated");
  }
});

Deno.test("a key opens no more than its scopes, and admin opens all", async () => {
  using file = new KeyFile();
  const reader = file.add("ada", "--scopes", "read");
  const submitter = file.add("ada", "--scopes", "submit");
  const admin = file.add("ada", "--scopes", "admin");
  const { app } = keyed(file.ring());
  const task = { type: "any", input: {} };
  await isProblem(await post(app, task, bearer(reader)), "forbidden");
  const accepted = await post(app, task, bearer(submitter));
  assert.equal(accepted.status, 202);
  const { links } = await accepted.json();
  const ask = (method: string, path: string, key: string) =>
    Promise.resolve(app.request(path, { method, headers: bearer(key) }));
  await isProblem(await ask("GET", links.self, submitter), "forbidden");
  assert.equal((await ask("GET", links.self, reader)).status, 200);
  await isProblem(await ask("POST", links.cancel, reader), "forbidden");
  assert.equal((await ask("POST", links.cancel, admin)).status, 200);
  await isProblem(await ask("POST", links.retry, reader), "forbidden");
  await isProblem(await ask("DELETE", links.self, submitter), "forbidden");
  assert.equal((await ask("DELETE", links.self, admin)).status, 204);
});

Deno.test("stats count one's own tasks, and everybody's for admin", async () => {
  using file = new KeyFile();
  const [ada, bob, admin] = [file.add("ada"), file.add("bob"), file.add("ops", "--scopes", "admin")];
  const { app } = keyed(file.ring(), Date.now, { finished: () => 7 });
  for (const key of [ada, ada, bob]) await post(app, { type: "any", input: {} }, bearer(key));
  const stats = async (key: string) => {
    const { counts, finished } = await (await app.request("/v1/stats", { headers: bearer(key) })).json();
    return [counts.queued, finished];
  };
  assert.deepEqual(await stats(ada), [2, undefined]);
  assert.deepEqual(await stats(bob), [1, undefined]);
  assert.deepEqual(await stats(admin), [3, 7]);
});

Deno.test("an expired key is told so, and what it has open ends", async () => {
  using file = new KeyFile();
  const key = file.add("ada", "--expires", "1h");
  let now = Date.now();
  const ring = file.ring({ now: () => now });
  const { app } = keyed(ring, () => now);
  const ask = async () => await app.request("/v1/tasks", { headers: bearer(key) });
  assert.equal((await ask()).status, 200);
  const { signal } = ring.find(key)!;
  now += 3_600_000;
  assert.match((await isProblem(await ask(), "unauthenticated")).detail!, /expired/);
  await aborts(signal);
});

Deno.test("a revoked key is out within a second, and its neighbours do not notice", async () => {
  using file = new KeyFile();
  const [gone, stays] = [file.add("ada"), file.add("ada")];
  const ring = file.ring();
  const [ended, open] = [ring.find(gone)!, ring.find(stays)!];
  file.revoke(gone);
  await aborts(ended.signal);
  assert.equal(ring.find(gone), undefined);
  assert.equal(ring.find(stays), open);
  assert.equal(open.signal.aborted, false);
});

Deno.test("what was begun under a key that is revoked before it is all there comes to nothing", async () => {
  using file = new KeyFile();
  const key = file.add("ada");
  const ring = file.ring();
  let kept = 0;
  const files = {
    fileMax: 100,
    async put(_: string, content: AsyncIterable<Uint8Array>) {
      for await (const _ of content);
      kept++;
    },
  } as unknown as Files;
  const { app, store } = keyed(ring, Date.now, { files });
  const begin = (path: string, text: string) => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const headers = { "content-type": "application/json", ...bearer(key) };
    const answer = app.request(path, { method: "POST", headers, body: readable });
    const writer = writable.getWriter();
    const write = (text: string) => writer.write(new TextEncoder().encode(text)).catch(() => {});
    write(text.slice(0, 5));
    return async () => {
      write(text.slice(5));
      writer.close().catch(() => {});
      return await answer;
    };
  };
  const task = JSON.stringify({ type: "any", input: {} });
  const ends = [
    begin("/v1/tasks", task),
    begin("/v1/tasks/batch", `{"tasks":[${task}]}`),
    begin("/v1/files", "some text"),
  ];
  const { signal } = ring.find(key)!;
  file.revoke(key);
  await aborts(signal);
  for (const end of ends) await isProblem(await end(), "unauthenticated");
  assert.deepEqual([(await store.list("ada", { limit: 9 })).tasks.length, kept], [0, 0]);
});

Deno.test("a key that is changed by hand ends what it has open and begins anew", async () => {
  using file = new KeyFile();
  const key = file.add("ada");
  const ring = file.ring();
  const { signal } = ring.find(key)!;
  const text = Deno.readTextFileSync(file.path);
  Deno.writeTextFileSync(file.path, text.replace('"submit",', ""));
  await aborts(signal);
  assert.deepEqual([...ring.find(key)!.scopes], ["read", "cancel"]);
});

Deno.test("a key that is added is in within a second", async () => {
  using file = new KeyFile();
  file.add("ada");
  const ring = file.ring();
  const key = file.add("bob");
  assert.equal(await until("the key", () => ring.find(key)?.owner), "bob");
});

Deno.test("a file that breaks keeps the keys as they were, says so once, and is heeded when it is whole", async () => {
  using file = new KeyFile();
  const key = file.add("ada");
  const good = Deno.readTextFileSync(file.path);
  const said: unknown[] = [];
  const ring = file.ring({ log: (level, _, facts) => void (level === "error" && said.push(facts?.error)) });
  const { signal } = ring.find(key)!;
  const broken: [text: string | undefined, says: RegExp][] = [
    ["{", /not JSON/],
    ['{"keys": [{}]}', /keys\.0\.id/],
    [undefined, /no such file/],
    [good.replace('"ada"', '"a b"'), /keys\.0\.owner: must be/],
  ];
  for (const [text, says] of broken) {
    const before = said.length;
    if (text === undefined) Deno.removeSync(file.path);
    else Deno.writeTextFileSync(file.path, text);
    await until(`a line like ${says}`, () => said.length > before || undefined);
    assert.match(String(said.at(-1)), says);
    assert.equal(ring.find(key)?.signal, signal);
  }
  assert.equal(said.length, broken.length);
  Deno.writeTextFileSync(file.path, '{"keys": []}');
  await aborts(signal);
});

Deno.test("a rate is told in each answer, and kept to", async () => {
  using file = new KeyFile();
  const [limited, free] = [file.add("ada", "--rate", "2/m"), file.add("ada")];
  let now = Date.now();
  const { app } = keyed(file.ring({ now: () => now }), () => now);
  const ask = async (key: string, path = "/v1/tasks") => await app.request(path, { headers: bearer(key) });
  const first = await ask(limited);
  assert.equal(first.headers.get("ratelimit-policy"), '"default";q=2;w=60');
  assert.equal(first.headers.get("ratelimit"), '"default";r=1;t=30');
  const second = await ask(limited, "/v1/nowhere");
  assert.equal(second.headers.get("ratelimit"), '"default";r=0;t=30');
  await isProblem(second, "not-found");
  now += 10_500;
  const third = await ask(limited);
  assert.equal(third.headers.get("ratelimit"), '"default";r=0;t=20');
  assert.equal(third.headers.get("retry-after"), "20");
  await isProblem(third, "rate-limited");
  const other = await ask(free);
  assert.deepEqual([other.status, other.headers.get("ratelimit")], [200, null]);
  now += 20_000;
  assert.equal((await ask(limited)).status, 200);
  assert.equal((await app.request("/livez")).headers.get("ratelimit"), null);
});

Deno.test("RATE_LIMIT holds for keys that have no rate of their own", async () => {
  using file = new KeyFile();
  const [own, common] = [file.add("ada", "--rate", "9/s"), file.add("ada")];
  const { app } = keyed(file.ring({ rate: { quota: 5, window: 1 } }));
  const policy = async (key: string) =>
    (await app.request("/v1/types", { headers: bearer(key) })).headers.get("ratelimit-policy");
  assert.deepEqual([await policy(own), await policy(common)], ['"default";q=9;w=1', '"default";q=5;w=1']);
});

Deno.test("a change of the key file is whole, private, and never undoes another", () => {
  using file = new KeyFile();
  const key = file.add("ada");
  assert.equal(Deno.statSync(file.path).mode! & 0o777, 0o600);
  assert.ok(!Deno.readTextFileSync(file.path).includes(key.split("_")[2]!));
  const before = Deno.readTextFileSync(file.path);
  assert.throws(() => changeKeyFile(file.path, (keys) => [...keys, ...keys]), /ids of their own/);
  changeKeyFile(file.path, (keys) => {
    assert.throws(() => file.add("bob"), /being changed by another command/);
    return keys;
  });
  assert.equal(Deno.readTextFileSync(file.path), before);
  assert.deepEqual([...Deno.readDirSync(file.folder)].map(({ name }) => name), ["keys.json"]);
});

Deno.test("without keys a page that had its name resolve to this machine gets nothing", async () => {
  const { app } = bench({ loopbackOnly: true });
  const ask = async (url: string, host = new URL(url).host) =>
    await app.request(new Request(url, { headers: { host } }));
  for (
    const host of [
      "localhost:8000",
      "127.0.0.1:8000",
      "127.9.9.9",
      "[::1]:8000",
      "errand.localhost",
      "LOCALHOST",
    ]
  ) {
    assert.equal((await ask(`http://${host}/v1/tasks`)).status, 200, host);
  }
  const evil = [
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.1",
    "0.0.0.0",
    "[::]",
  ];
  for (const host of evil) {
    await isProblem(await ask(`http://${host}/v1/tasks`), "forbidden");
    await isProblem(await ask("http://localhost/v1/tasks", host), "forbidden");
  }
  const { app: open } = bench({ loopbackOnly: false });
  assert.equal((await open.request("http://errand.example/v1/tasks")).status, 200);
});

Deno.test("without keys a page of another origin changes nothing", async () => {
  const { app } = bench({});
  const ask = async (origin: string | undefined, method = "POST", path = "/v1/tasks/1/cancel") => {
    const headers = { host: "localhost:8000", ...(origin !== undefined && { origin }) };
    return await app.request(new Request(`http://localhost:8000${path}`, { method, headers }));
  };
  for (
    const origin of [
      "https://evil.example",
      "null",
      "http://localhost:9000",
      "http://localhost:8000.evil.example",
    ]
  ) {
    await isProblem(await ask(origin), "forbidden");
    await isProblem(await ask(origin, "DELETE"), "forbidden");
    await isProblem(await ask(origin, "POST", "/v1/tasks/1/cancel?/v1/tasks"), "forbidden");
    // A page can send this one, but not as JSON.
    await isProblem(await ask(origin, "POST", "/v1/tasks"), "unsupported-media-type");
    assert.equal((await ask(origin, "GET", "/v1/tasks")).headers.get("access-control-allow-origin"), null);
  }
  await isProblem(await ask("http://localhost:8000"), "task-not-found");
  await isProblem(await ask(undefined), "task-not-found");
});

Deno.test("of an owner's keys the one that allows most says how many tasks run at once", () => {
  using file = new KeyFile();
  file.add("ada", "--concurrency", "2");
  file.add("ada", "--concurrency", "5");
  file.add("ada");
  file.add("eve");
  const ring = file.ring();
  assert.deepEqual([ring.concurrencyOf("ada"), ring.concurrencyOf("eve")], [5, undefined]);
  for (const text of ["0", "-1", "x", "1.5"]) {
    assert.throws(() => file.add("ada", `--concurrency=${text}`), /^KeysError: --concurrency: /);
  }
});
