import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import definition from "../../tasks/update_database.ts";
import type { TaskFiles } from "../../tasks/mod.ts";
import { failing, type Update, withWorker } from "./updating.ts";

const STATEMENTS = `
-- name: add
insert into accounts (name, balance) values (:name, :balance)

-- name: add-once
-- once
-- returns: rows
insert into accounts (name, balance) values (:name, :balance) returning *

-- name: transfer
update accounts set balance = balance + :amount where name = :to;
update accounts set balance = balance - :amount where name = :from

-- name: echo
-- returns: rows
select :value as value, typeof(:value) as type, x'00ff' as bytes, 9007199254740993 as big, 9e999 as endless

-- name: count
-- returns: rows
with recursive n(i) as (select 1 union all select i + 1 from n where i < :to) select i from n

-- name: slow
-- timeout: 20ms
with recursive n(i) as (select 1 union all select i + 1 from n where i < :to) select count(*) from n
`;

/** A file with an empty table `accounts`. */
async function withAccounts(
  test: (update: Update, database: DatabaseSync, url: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const database = new DatabaseSync(`${folder}/shop.db`);
  database.exec("create table accounts (name text primary key, balance int not null check (balance >= 0))");
  const url = `sqlite:${folder}/shop.db`;
  try {
    await withWorker(url, STATEMENTS, (update) => test(update, database, url));
  } finally {
    database.close();
    await Deno.remove(folder, { recursive: true });
  }
}
const accountsIn = (database: DatabaseSync) =>
  database.prepare("select name, balance from accounts order by name").all().map((row) => ({ ...row }));
const many = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `a${i}`, balance: i }));

Deno.test("SQLite: values of every kind go in and come out", async () => {
  await withAccounts(async (update) => {
    for (
      const [given, value, type] of [
        ["é 😀'; --", "é 😀'; --", "text"],
        [7, 7, "integer"],
        [0.5, 0.5, "real"],
        [1e300, 1e300, "real"],
        [true, 1, "integer"],
        [null, null, "null"],
        [[1, "a"], '[1,"a"]', "text"],
        [{ a: 1 }, '{"a":1}', "text"],
      ]
    ) {
      const { rowCount, rows } = await update({ statement: "echo", params: { value: given } });
      const others = { bytes: "\\x00ff", big: "9007199254740993", endless: "Infinity" };
      assert.deepEqual([rowCount, { ...rows![0] }], [1, { value, type, ...others }]);
    }
  });
});

Deno.test("SQLite: whatever a client sends is data and never SQL", async () => {
  const attempts = [
    "'; drop table accounts; --",
    "x', 0); delete from accounts; --",
    "?1",
    ":name",
    '" or 1=1 --',
  ];
  await withAccounts(async (update, database) => {
    for (const name of attempts) await update({ statement: "add", params: { name, balance: 1 } });
    assert.deepEqual(accountsIn(database).map(({ name }) => name), attempts.toSorted());
  });
});

Deno.test("SQLite: all rows are applied, with progress, or none", async () => {
  await withAccounts(async (update, database) => {
    const bad = many(250).with(180, { name: "x", balance: -1 });
    await assert.rejects(
      update({ statement: "add", rows: bad }),
      failing("database_error", /CHECK constraint failed/, { at: "rows.180" }),
    );
    assert.deepEqual(accountsIn(database), []);
    const { rowCount, context } = await update({ statement: "add", rows: many(250) });
    assert.deepEqual([rowCount, accountsIn(database).length], [250, 250]);
    assert.deepEqual(context.progressed.map(({ current }) => current), [1, 100, 200, 250]);
    const transfer = { from: "a1", to: "a2" };
    await assert.rejects(
      update({ statement: "transfer", rows: [{ ...transfer, amount: 1 }, { ...transfer, amount: 1 }] }),
      failing("database_error", /CHECK/, { at: "rows.1" }),
    );
    assert.deepEqual(database.prepare("select balance from accounts where name = 'a2'").get()?.balance, 2);
  });
});

Deno.test("SQLite: what says once is applied once, also by attempts at the same time", async () => {
  await withAccounts(async (update, database) => {
    const id = crypto.randomUUID();
    const input = { statement: "add-once", params: { name: "ada", balance: 1 } };
    const results = await Promise.all([1, 2, 3].map((attempt) => update(input, { id, attempt })));
    for (const { rowCount, rows } of results) {
      assert.deepEqual([rowCount, { ...rows![0] }], [1, { name: "ada", balance: 1 }]);
    }
    assert.deepEqual(accountsIn(database), [{ name: "ada", balance: 1 }]);
    await assert.rejects(
      update({ ...input, params: { name: "eve", balance: 1 } }, { id }),
      failing("invalid_input", /^id: /),
    );
  });
});

Deno.test("SQLite: another process that has the file is waited for, without holding up the thread", async () => {
  await withAccounts(async (update, database) => {
    database.exec("begin immediate; insert into accounts values ('bob', 0)");
    const running = update({ statement: "add", rows: many(3) });
    let turns = 0;
    for (; turns < 5; turns++) await new Promise((resolve) => setTimeout(resolve, 5));
    database.exec("commit");
    assert.equal((await running).rowCount, 3);
    assert.equal(accountsIn(database).length, 4);
  });
});

Deno.test("SQLite: a cancel is heard while waiting and between rows, and nothing is applied", async () => {
  await withAccounts(async (update, database) => {
    const reason = new DOMException("cancelled", "AbortError");
    const cancelled = (error: unknown) => error === reason;
    database.exec("begin immediate");
    const waiting = new AbortController();
    const running = update({ statement: "add", rows: many(3) }, { signal: waiting.signal });
    waiting.abort(reason);
    await assert.rejects(running, cancelled);
    database.exec("rollback");
    const controller = new AbortController();
    const rows = update({ statement: "add", rows: many(20_000) }, { signal: controller.signal });
    rows.catch(() => {});
    setTimeout(() => controller.abort(reason), 5);
    await assert.rejects(rows, cancelled);
    assert.deepEqual(accountsIn(database), []);
  });
});

Deno.test("SQLite: limits of time and of the result", async () => {
  await withAccounts(async (update) => {
    await assert.rejects(
      update({ statement: "slow", params: { to: 1_000_000 } }),
      failing("upstream_timeout", /longer than 20 ms/, { at: "params" }),
    );
    assert.equal((await update({ statement: "count", params: { to: 1000 } })).rows!.length, 1000);
    await assert.rejects(update({ statement: "count", params: { to: 1e12 } }), failing("result_too_large"));
  });
});

Deno.test("SQLite: a file that is not there, or no database, is said to be so and never made", async () => {
  await withAccounts(async (update, _, url) => {
    await update({ statement: "count", params: { to: 1 } });
    const path = url.slice("sqlite:".length);
    await Deno.writeTextFile(`${path}.txt`, "no database, whatever its name says".repeat(100));
    for (const [name, why] of [[".none", /no such file/], [".txt", /not a database/]] as const) {
      await withWorker(url + name, STATEMENTS, async (update) => {
        await assert.rejects(
          update({ statement: "count", params: { to: 1 } }),
          failing("connect_failure", why),
        );
      });
    }
    await assert.rejects(Deno.stat(`${path}.none`), Deno.errors.NotFound);
  });
});

Deno.test("without both settings a task says so", async () => {
  for (const [url, statements] of [[undefined, STATEMENTS], ["sqlite:/nowhere", undefined]]) {
    await withWorker(url, statements, async (update) => {
      await assert.rejects(
        update({ statement: "count" }),
        failing("not_configured", /DATABASE_URL and STATEMENTS_FILE/),
      );
    });
  }
});

Deno.test("statements that cannot be read keep the type from starting", async () => {
  await assert.rejects(
    withWorker("sqlite:/nowhere", "-- name: a\n-- onec\nselect 1", async () => {}),
    /^TypeError: STATEMENTS_FILE, line 2: /,
  );
});

const permissions = definition.permissions as (context: { env: Record<string, string> }) => unknown;
const settings = ["DATABASE_URL", "STATEMENTS_FILE"];

Deno.test("the runner may reach its database and its statements, and nothing else", () => {
  const given = (DATABASE_URL: string) =>
    permissions({ env: { DATABASE_URL, STATEMENTS_FILE: "/etc/s.sql" } });
  assert.deepEqual(given("postgres://u:p@db.example.com/d"), {
    env: [...settings, "PGAPPNAME", "PGTARGETSESSIONATTRS"],
    read: ["/etc/s.sql"],
    net: ["db.example.com:5432"],
  });
  assert.deepEqual(given("sqlite:/srv/shop.db"), {
    env: settings,
    read: ["/etc/s.sql", "/srv/shop.db"],
    write: ["/srv/shop.db"],
  });
  assert.deepEqual(permissions({ env: {} }), { env: settings });
  assert.throws(() => given("mysql://hunter2@x"), /^TypeError: DATABASE_URL must be/);
});

Deno.test("the module loads neither driver until a worker sets it up", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL("../../tasks/update_database.ts", import.meta.url).href],
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: { dependencies?: { specifier: string; code?: unknown; isDynamic?: boolean }[] }[];
  };
  const uses = modules.flatMap(({ dependencies = [] }) => dependencies)
    .filter(({ specifier, code }) => /^(postgres|\.\/sqlite\.ts|\.\/postgres\.ts)$/.test(specifier) && code);
  assert.equal(uses.length, 3);
  assert.ok(uses.every(({ isDynamic }) => isDynamic), JSON.stringify(uses));
});

Deno.test("SQLite: the rows of a CSV file are carried out, all or none", async () => {
  await withAccounts(async (update, database) => {
    const file = crypto.randomUUID();
    // Only where the bytes come from is another: the file that a service hands over has a test of its own.
    const opened = (text: string) => ({
      open: () => Promise.resolve({ stream: () => new Blob([text]).stream() }),
    } as unknown as TaskFiles);
    const run = (text: string) => update({ statement: "add", file }, { files: opened(text) });
    const { rowCount } = await run('name,balance\n"O\'Hara, é",5\nb,7\n');
    assert.equal(rowCount, 2);
    assert.deepEqual(accountsIn(database), [{ name: "O'Hara, é", balance: 5 }, { name: "b", balance: 7 }]);
    await assert.rejects(run("name,balance\nc,1\nd\n"), failing("invalid_input", /^file row 2: /));
    await assert.rejects(run("name\nc\n"), failing("invalid_input", /^file row 1.*balance/));
    await assert.rejects(
      run("name,balance\nc,1\nb,1\n"),
      failing("database_error", undefined, { at: "file row 2" }),
    );
    assert.equal(accountsIn(database).length, 2);
  });
});

Deno.test("a file does not stand beside params or rows", () => {
  const file = crypto.randomUUID();
  for (const more of [{ params: {} }, { rows: [{}] }]) {
    const { error } = definition.input.safeParse({ statement: "add", file, ...more });
    assert.deepEqual(error?.issues.map(({ path }) => path), [["file"]]);
  }
});
