/** Owners and types beside each other, with the real dispatcher and the real store: who waits for whom. */
import assert from "node:assert/strict";
import { Dispatcher } from "../queue/dispatcher.ts";
import type { Claim, StoreOptions, Want } from "../queue/store.ts";
import { createMemoryStore } from "../queue/stores/memory.ts";
import { FakeRunners } from "./fake_runners.ts";
import { bearer, KeyFile } from "./routes/key_file.ts";
import { Service, until } from "./service.ts";
import { draft, ROOMY } from "./store_fixtures.ts";

/** Has so many places for each type, as crews have. */
class Places extends FakeRunners {
  readonly started: Claim[] = [];

  constructor(readonly concurrency: Readonly<Record<string, number>>) {
    super();
  }

  override wants(alone: boolean): Want[] {
    return Object.entries(this.concurrency).flatMap(([type, places]) => {
      const limit = places - this.running({ type }).length;
      return limit > 0 ? [{ type, alone, limit }] : [];
    });
  }

  override start(claims: readonly Claim[]): void {
    super.start(claims);
    this.started.push(...claims);
  }

  running(like: { type?: string; owner?: string }): Claim[] {
    const { type, owner } = like;
    return this.claims.filter(({ task }) =>
      (!type || task.type === type) && (!owner || task.owner === owner)
    );
  }

  end(claim: Claim | undefined): void {
    this.tell({ token: claim!.token, as: "succeeded", result: "1" });
  }
}

function scene(concurrency: Record<string, number>, options: Partial<StoreOptions> = {}) {
  const store = createMemoryStore({ ...ROOMY, ...options });
  const runners = new Places(concurrency);
  const dispatcher = new Dispatcher({ store, runners, retry: { base: 1, max: 1 }, lease: 30_000 });
  dispatcher.start();
  const add = (owner: string, type: string, count = 1) =>
    store.enqueue(Array.from({ length: count }, () => draft({ owner, type })));
  const runs = (like: { type?: string; owner?: string }, count: number) =>
    until(
      `${count} of ${JSON.stringify(like)} to run`,
      () => runners.running(like).length === count || undefined,
    );
  return { runners, add, runs, [Symbol.asyncDispose]: () => dispatcher.stop(0, 0) };
}

Deno.test("10,000 tasks of one owner do not delay another's first", async () => {
  await using s = scene({ mail: 4 });
  const { runners, add, runs } = s;
  await add("ann", "mail", 10_000);
  await runs({ owner: "ann" }, 4);
  await add("bob", "mail", 10);
  for (let place = 1; place <= 2; place++) {
    runners.end(runners.running({ owner: "ann" })[0]);
    await runs({ owner: "bob" }, place);
  }
  const started = runners.started.slice(4).map(({ task }) => task.owner);
  assert.deepEqual(started, ["bob", "bob"], "half of the places are the other's, one after the other");
  await add("eve", "mail");
  runners.end(runners.running({ owner: "ann" })[0]);
  await runs({ owner: "eve" }, 1);
});

Deno.test("a flood of one type takes the places of no other", async () => {
  await using s = scene({ mail: 2, pdf: 3, sleep: 1 });
  const { runners, add, runs } = s;
  await add("ann", "mail", 10_000);
  await runs({ type: "mail" }, 2);
  await add("ann", "pdf", 4);
  await add("bob", "sleep", 2);
  await runs({ type: "pdf" }, 3);
  await runs({ type: "sleep" }, 1);
  runners.end(runners.running({ type: "sleep" })[0]);
  await until("bob's second", () => runners.started.filter(({ task }) => task.owner === "bob").length === 2);
  await runs({}, 6);
  assert.equal(runners.running({ type: "mail" }).length, 2);
});

Deno.test("an owner runs as many as it may, over all types, to the end", async () => {
  await using s = scene({ mail: 4, pdf: 4 }, { concurrencyOf: (owner) => owner === "ann" ? 3 : undefined });
  const { runners, add, runs } = s;
  await add("ann", "mail", 10);
  await add("ann", "pdf", 10);
  await runs({ owner: "ann" }, 3);
  await add("bob", "mail", 9);
  await add("bob", "pdf", 9);
  await runs({ owner: "bob" }, 5);
  for (let ended = 0; ended < 38; ended++) {
    await until("a task to run", () => runners.claims.length > 0);
    assert.ok(runners.running({ owner: "ann" }).length <= 3);
    runners.end(runners.claims[0]);
  }
  assert.deepEqual([runners.started.length, runners.claims.length], [38, 0]);
});

Deno.test("KEY_CONCURRENCY bounds what runs of a key's owner, by whichever of its keys it came", async () => {
  using keys = new KeyFile();
  const [anns, annsOther, bobs] = [keys.add("ann"), keys.add("ann"), keys.add("bob")] as const;
  await using service = await Service.start({ API_KEYS_FILE: keys.path, KEY_CONCURRENCY: "2" });
  const ask = async (key: string, path: string, body?: unknown) => {
    const headers = { ...bearer(key), "content-type": "application/json" };
    const method = body === undefined ? "GET" : "POST";
    const response = await fetch(service.url + path, { method, headers, body: JSON.stringify(body) });
    assert.ok(response.ok, `${path}: ${response.status}`);
    return await response.json();
  };
  for (const key of [anns, annsOther, anns, annsOther]) {
    await ask(key, "/v1/tasks", { type: "sleep", input: { ms: 86_400_000 } });
  }
  const { id } = await ask(bobs, "/v1/tasks", { type: "sleep", input: { ms: 1 } });
  await until("bob's task to end", async () => (await ask(bobs, `/v1/tasks/${id}`)).status === "succeeded");
  const statuses = async () =>
    (await ask(anns, "/v1/tasks")).tasks.map(({ status }: { status: string }) => status).sort().join(" ");
  assert.equal(await statuses(), "queued queued running running");
});
