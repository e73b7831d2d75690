/** `update-database` in the whole service: in its own process, which dies in the worst moments. */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { Service, until } from "../service.ts";
import { PostgresServer } from "./postgres_server.ts";

const POSTGRES = `
-- name: add
insert into seen (what) values (:what);
select pg_sleep(:seconds)

-- name: add-once
-- once
insert into seen (what) values (:what)

-- name: sleep
select pg_sleep(600)

-- name: tell
-- returns: rows
select pg_backend_pid() as pid
`;

const SQLITE = `
-- name: add
insert into seen (what) values (:what);
with recursive n(i) as (select 1 union all select i + 1 from n where i < :to) update seen set n = (select count(*) from n)

-- name: add-once
-- once
insert into seen (what) values (:what)
`;

let server: PostgresServer;
Deno.test.beforeAll(async () => void (server = await PostgresServer.start()));
Deno.test.afterAll(async () => await server?.[Symbol.asyncDispose]());

const withService = (test: (service: Service) => Promise<void>) =>
  withSettings({ DATABASE_URL: server.url() }, POSTGRES, async (service) => {
    await server.query("drop table if exists seen, errand_once");
    await server.query("create table seen (what text not null)");
    await test(service);
  });

async function withSettings(
  env: Record<string, string>,
  statements: string,
  test: (service: Service) => Promise<void>,
): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".sql" });
  await Deno.writeTextFile(file, statements);
  try {
    await using service = await Service.start({ ...env, STATEMENTS_FILE: file });
    await test(service);
  } finally {
    await Deno.remove(file);
  }
}

const seen = async () => (await server.query("select what from seen order by what")).map(({ what }) => what);
const input = (statement: string, params?: Record<string, unknown>) => ({
  statement,
  ...(params && { params }),
});

Deno.test("a runner that is killed in a transaction leaves nothing, and the next attempt does it", async () => {
  await withService(async (service) => {
    const id = await service.submit("update-database", input("add", { what: "a", seconds: 1 }));
    await server.at(/pg_sleep/);
    for (const pid of service.runners()) Deno.kill(pid, "SIGKILL");
    await until("the first attempt's end", async () => (await service.get(id)).attempt === 2 || undefined);
    const { status, attempt } = await service.final(id);
    assert.deepEqual([status, attempt], ["succeeded", 2]);
    await server.quiet();
    assert.deepEqual(await seen(), ["a"]);
  });
});

Deno.test("what says once is applied once, though the runner died after the commit and before it told", async () => {
  await withService(async (service) => {
    // The commit itself takes a while, in which the runner is stopped: it never hears that it was done.
    await server.query(`create or replace function nap() returns trigger language plpgsql as
      $$ begin perform pg_sleep(0.5); return null; end $$`);
    await server.query(`create constraint trigger nap after insert on seen deferrable initially deferred
      for each row execute function nap()`);
    const id = await service.submit("update-database", input("add-once", { what: "a" }));
    await server.at(/^commit/i);
    const runners = service.runners();
    for (const pid of runners) Deno.kill(pid, "SIGSTOP");
    await until("the commit", async () => (await seen()).length === 1 || undefined);
    for (const pid of runners) Deno.kill(pid, "SIGKILL");
    const { status, attempt, result } = await service.final(id);
    assert.deepEqual([status, attempt, result], ["succeeded", 2, { rowCount: 1 }]);
    assert.deepEqual(await seen(), ["a"]);
    assert.match((await service.logs(id)).at(-1)!.message, /An earlier attempt has done this/);
  });
});

Deno.test("a cancel and a timeout over HTTP end what the server does", async () => {
  await withService(async (service) => {
    const id = await service.submit("update-database", input("sleep"));
    await server.at(/pg_sleep/);
    await service.cancel(id);
    assert.equal((await service.final(id)).status, "cancelled");
    await server.quiet();
    const { error } = await service.run("update-database", input("sleep"), {
      timeout: "300ms",
      maxAttempts: 1,
    });
    assert.equal(error?.code, "timeout");
    await server.quiet();
  });
});

Deno.test("the tasks of a worker share a few connections, which outlive them", async () => {
  await withService(async (service) => {
    const pids = new Set<unknown>();
    for (let i = 0; i < 5; i++) {
      const { result } = await service.run("update-database", input("tell"));
      pids.add((result as { rows: { pid: number }[] }).rows[0]!.pid);
    }
    assert.equal(pids.size, 1);
    const ids = await Promise.all(
      Array.from(
        { length: 30 },
        () => service.submit("update-database", input("add", { what: "x", seconds: 0.02 })),
      ),
    );
    const tasks = await Promise.all(ids.map((id) => service.final(id)));
    assert.ok(tasks.every(({ status }) => status === "succeeded"));
    const open = await server.value(
      "select count(*)::int from pg_stat_activity where application_name = 'errand'",
    );
    assert.ok(Number(open) <= 8, `${open} connections`);
  });
});

Deno.test("neither a refused password nor a statement's error shows the password anywhere", async () => {
  for (const password of ["canary/wrong", server.password]) {
    await withSettings(
      { DATABASE_URL: server.url({ password }), LOG_LEVEL: "debug" },
      POSTGRES,
      async (service) => {
        const what = `${password} ${encodeURIComponent(password)}`;
        const inputs = [input("tell"), input("none"), input("add", { seconds: what, what: 1 })];
        let shown = "";
        for (const each of inputs) {
          const id = await service.submit("update-database", each, { maxAttempts: 1 });
          const task = await service.final(id);
          shown += JSON.stringify([task, await service.logs(id)]);
        }
        for (const path of ["/v1/types", "/readyz?verbose", "/v1/stats"]) {
          shown += await (await service.call("GET", path)).text();
        }
        shown += service.program.output();
        assert.doesNotMatch(shown, /canary/);
      },
    );
  }
});

Deno.test("statements that cannot be read are said to be so, by line", async () => {
  await withSettings({ DATABASE_URL: server.url() }, "-- name: a\n-- onec\nselect 1", async (service) => {
    const { error } = await service.run("update-database", input("a"), { maxAttempts: 1 });
    assert.equal(error?.code, "handler_load_failed");
    assert.match(error!.message, /line 2/);
  });
});

Deno.test("SQLite: a runner killed in a transaction leaves nothing, and a long command ends with its runner", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/shop.db`;
  const database = new DatabaseSync(path);
  database.exec("pragma journal_mode = wal; create table seen (what text, n int)");
  const count = () => Number(database.prepare("select count(*) as n from seen").get()!.n);
  /** Whether a transaction of a task is open. */
  const held = () => {
    try {
      database.exec("begin immediate; rollback");
      return undefined;
    } catch {
      return true;
    }
  };
  try {
    await withSettings({ DATABASE_URL: `sqlite:${path}` }, SQLITE, async (service) => {
      const endless = input("add", { what: "a", to: 1e15 });
      const id = await service.submit("update-database", endless, { maxAttempts: 1 });
      await until("the transaction", held);
      for (const pid of service.runners()) Deno.kill(pid, "SIGKILL");
      assert.equal((await service.final(id)).error?.code, "worker_lost");
      assert.equal(count(), 0);

      const cancelled = await service.submit("update-database", endless);
      await until("the transaction", held);
      await service.cancel(cancelled);
      assert.equal((await service.final(cancelled)).status, "cancelled");
      await until("the end of its runner", () => !held() || undefined);
      assert.equal(count(), 0);

      const { status } = await service.run("update-database", input("add", { what: "b", to: 10 }));
      assert.deepEqual([status, count()], ["succeeded", 1]);
      const again = await service.submit("update-database", input("add-once", { what: "c" }));
      assert.equal((await service.final(again)).status, "succeeded");
      assert.equal(count(), 2);
    });
  } finally {
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an uploaded CSV file is carried out, a row for a row", async () => {
  await withService(async (service) => {
    const upload = await fetch(`${service.url}/v1/files`, {
      method: "POST",
      headers: { "content-type": "text/csv" },
      body: "what\nx\n\"y, 'quoted' é\"\n",
    });
    const { id: file } = await upload.json();
    const { status, result } = await service.run("update-database", { statement: "add-once", file });
    assert.deepEqual([status, result], ["succeeded", { rowCount: 2 }]);
    assert.deepEqual(await seen(), ["x", "y, 'quoted' é"]);
  });
});
