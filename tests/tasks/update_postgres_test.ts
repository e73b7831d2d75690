import assert from "node:assert/strict";
import definition from "../../tasks/update_database.ts";
import { freePort, until } from "../service.ts";
import { PostgresServer } from "./postgres_server.ts";
import { failing, type Update, withWorker } from "./updating.ts";

const STATEMENTS = `
-- Comments may stand here; what a client sees of them is nothing.

-- name: reset
drop table if exists accounts, errand_once;
drop sequence if exists tries;
create sequence tries;
create table accounts (name text primary key, balance int not null check (balance >= 0))

-- name: add
insert into accounts (name, balance) values (:name, :balance);

-- name: add-once
-- once
-- returns: rows
insert into accounts (name, balance) values (:name, :balance) returning name, balance;

-- name: transfer
update accounts set balance = balance + :amount where name = :to;
update accounts set balance = balance - :amount where name = :from;

-- name: deposit
-- isolation: serializable
update accounts set balance = (select balance from accounts where name = :name) + 1 where name = :name;

-- name: lock
select nextval('tries');
select * from accounts where name = :name for update;
select pg_sleep(0.1)

-- name: find
-- returns: rows
select * from accounts where name = :name;

-- name: echo
-- returns: rows
select :int::int as int, :big::bigint as big, :numeric::numeric as numeric, :float::float8 as float,
  :flag::boolean as flag, :text::text as text, :json::jsonb as json, :ids::int[] as ids, :texts::text[] as texts,
  :at::timestamptz as at, :local::timestamp as local, :day::date as day, :bytes::bytea as bytes, :nothing::text as nothing,
  ':name'::text as quoted, $$:name '$$ as dollars /* :name */ -- :name

-- name: count
-- returns: rows
select generate_series(1, :to::int) as n

-- name: sleep
select pg_sleep(:seconds)

-- name: sleep-briefly
-- timeout: 50ms
select pg_sleep(:seconds)
`;

let server: PostgresServer;
Deno.test.beforeAll(async () => void (server = await PostgresServer.start()));
Deno.test.afterAll(async () => await server?.[Symbol.asyncDispose]());

/** With an empty table `accounts`. */
const withAccounts = (test: (update: Update) => Promise<void>) =>
  withWorker(server.url(), STATEMENTS, async (update) => {
    await update({ statement: "reset" });
    await test(update);
  });
const accounts = () => server.query("select name, balance from accounts order by name");
const many = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `a${i}`, balance: i }));

Deno.test("values of every kind go in and come out as what they are", async () => {
  const params = {
    int: -7,
    big: "9007199254740993",
    numeric: "12345678901234567890.5",
    float: 0.1,
    flag: true,
    text: "é 中文 😀 \\ ' \" ; --",
    json: { a: [1, null, "x"] },
    ids: [1, 2, 3],
    texts: ["a,b", 'c"d', "{}", "null"],
    at: "2026-02-03T04:05:06.123456+02:00",
    local: "2026-02-03T04:05:06",
    day: "2026-02-03",
    bytes: "\\x00ff",
    nothing: null,
  };
  await withWorker(server.url(), STATEMENTS, async (update) => {
    const { context: _, ...result } = await update({ statement: "echo", params });
    assert.deepEqual(result, {
      rowCount: 1,
      rows: [{ ...params, at: "2026-02-03T02:05:06.123456Z", quoted: ":name", dollars: ":name '" }],
    });
    const again = await update({
      statement: "echo",
      params: { ...params, int: "42", big: 7, flag: "false", text: { a: 1 }, json: "x", float: "NaN" },
    });
    const { int, big, flag, text, json, float } = again.rows![0]!;
    assert.deepEqual([int, big, flag, text, json, float], [42, 7, false, '{"a":1}', "x", "NaN"]);
  });
});

Deno.test("whatever a client sends is data and never SQL", async () => {
  const attempts = [
    "'; drop table accounts; --",
    "x', 0); delete from accounts; --",
    "\\'; drop table accounts; --",
    "$1; drop table accounts",
    ":name",
    "*/ drop table accounts; /*",
    '" or 1=1 --',
    "\u02BC; drop table accounts",
    ["'); drop table accounts; --"],
    { toString: "'; drop table accounts; --" },
  ];
  await withAccounts(async (update) => {
    for (const [i, name] of attempts.entries()) {
      await update({ statement: "add", params: { name, balance: i } });
    }
    const stored = await server.query("select name from accounts order by balance");
    const expected = attempts.map((name) => typeof name === "string" ? name : JSON.stringify(name));
    assert.deepEqual(stored.map(({ name }) => name), expected);
    for (const name of attempts) {
      const { rowCount } = await update({ statement: "find", params: { name } });
      assert.equal(rowCount, 1);
    }
    assert.equal((await update({ statement: "find", params: { name: "' or ''='" } })).rowCount, 0);
  });
});

Deno.test("only statements of the operator's, with exactly their parameters", async () => {
  await withAccounts(async (update) => {
    const input = { statement: "add", params: { name: "ada", balance: 1 } };
    for (const statement of ["drop table accounts", "add; drop", "", "--add", "../add"]) {
      assert.equal(definition.input.safeParse({ ...input, statement }).success, false, statement);
    }
    assert.equal(definition.input.safeParse({ ...input, sql: "select 1" }).success, false);
    assert.equal(definition.input.safeParse({ ...input, rows: [input.params] }).success, false);
    assert.equal(definition.input.safeParse({ statement: "add", params: { "a b": 1 } }).success, false);
    const refused = (input: Record<string, unknown>, message: RegExp) =>
      assert.rejects(update(input), failing("invalid_input", message));
    await refused({ ...input, statement: "constructor" }, /^statement: there is none named constructor$/);
    await refused({ statement: "add" }, /^params\.name: is missing$/);
    await refused({ statement: "add", params: { name: "x", toString: 1 } }, /^params\.balance: is missing$/);
    await refused({ statement: "add", params: { ...input.params, id: 1 } }, /^params\.id: is no parameter$/);
    await refused(
      { statement: "add", rows: [input.params, { name: "x" }] },
      /^rows\.1\.balance: is missing$/,
    );
    assert.deepEqual(await accounts(), []);
  });
});

Deno.test("all rows are applied in one transaction, with progress", async () => {
  await withAccounts(async (update) => {
    const { rowCount, rows, context } = await update({ statement: "add", rows: many(250) });
    assert.deepEqual([rowCount, rows], [250, undefined]);
    assert.equal((await accounts()).length, 250);
    assert.deepEqual(context.progressed.map(({ current, total }) => [current, total]), [
      [1, 250],
      [100, 250],
      [200, 250],
      [250, 250],
    ]);
    assert.equal(await server.value("select count(distinct xmin::text)::int from accounts"), 1);
  });
});

Deno.test("one bad row, and none is applied", async () => {
  await withAccounts(async (update) => {
    for (
      const [bad, sqlState] of [[{ name: "a1", balance: 0 }, "23505"], [
        { name: "x", balance: -1 },
        "23514",
      ]] as const
    ) {
      await assert.rejects(
        update({ statement: "add", rows: many(250).with(180, bad) }),
        failing("database_error", /constraint/, { sqlState, at: "rows.180" }),
      );
    }
    await assert.rejects(
      update({ statement: "add", params: { name: "x", balance: "many" } }),
      failing("database_error", /invalid input syntax for type integer/, { sqlState: "22P02", at: "params" }),
    );
    await assert.rejects(
      update({ statement: "add", params: { name: "\0", balance: 1 } }),
      failing("database_error", /0x00/, { sqlState: "22021" }),
    );
    assert.deepEqual(await accounts(), []);
    // The connection that saw the errors serves on.
    assert.equal((await update({ statement: "add", rows: many(2) })).rowCount, 2);
  });
});

Deno.test("a statement of several commands is applied as a whole or not at all", async () => {
  await withAccounts(async (update) => {
    await update({ statement: "add", rows: [{ name: "ada", balance: 10 }, { name: "bob", balance: 0 }] });
    const transfer = (amount: number) => ({ from: "ada", to: "bob", amount });
    const { rowCount } = await update({ statement: "transfer", rows: [transfer(3), transfer(3)] });
    assert.equal(rowCount, 4);
    await assert.rejects(
      update({ statement: "transfer", rows: [transfer(1), transfer(9)] }),
      failing("database_error", /check/, { at: "rows.1" }),
    );
    assert.deepEqual(await accounts(), [{ name: "ada", balance: 4 }, { name: "bob", balance: 6 }]);
  });
});

Deno.test("what says once is applied once, and each attempt tells the same", async () => {
  await withAccounts(async (update) => {
    const id = crypto.randomUUID();
    const input = { statement: "add-once", params: { name: "ada", balance: 1 } };
    const first = await update(input, { id });
    assert.deepEqual(first.rows, [{ name: "ada", balance: 1 }]);
    await server.query("update accounts set balance = 7");
    const { context, ...second } = await update(input, { id, attempt: 2 });
    assert.deepEqual(second, { rowCount: 1, rows: [{ name: "ada", balance: 1 }] });
    assert.match(context.logged[0]!, /^info: An earlier attempt has done this/);
    assert.deepEqual(await accounts(), [{ name: "ada", balance: 7 }]);
    await assert.rejects(
      update({ ...input, params: { name: "eve", balance: 1 } }, { id }),
      failing("invalid_input", /^id: a task of this id has done something else/),
    );
    assert.equal((await update({ ...input, params: { name: "bob", balance: 1 } })).rowCount, 1);
  });
});

Deno.test("what says once and failed is not held for done", async () => {
  await withAccounts(async (update) => {
    const id = crypto.randomUUID();
    const input = { statement: "add-once", rows: [{ name: "ada", balance: 1 }, { name: "bob", balance: 1 }] };
    await server.query("insert into accounts values ('bob', 0)");
    await assert.rejects(update(input, { id }), failing("database_error"));
    await server.query("delete from accounts");
    assert.equal((await update(input, { id, attempt: 2 })).rowCount, 2);
  });
});

Deno.test("two attempts at the same time apply it once", async () => {
  await withAccounts(async (update) => {
    const id = crypto.randomUUID();
    const input = { statement: "add-once", params: { name: "ada", balance: 1 } };
    const results = await Promise.all([1, 2, 3, 4].map((attempt) => update(input, { id, attempt })));
    assert.deepEqual(results.map(({ rowCount }) => rowCount), [1, 1, 1, 1]);
    assert.deepEqual(await accounts(), [{ name: "ada", balance: 1 }]);
  });
});

Deno.test("a serialization failure is tried again at once", async () => {
  await withAccounts(async (update) => {
    await update({ statement: "add", params: { name: "ada", balance: 0 } });
    // An attempt gives up after its fifth try, and says so: another one may follow.
    const persist = async (): Promise<void> => {
      try {
        await update({ statement: "deposit", params: { name: "ada" } });
      } catch (error) {
        if (!failing("database_busy", /could not serialize/, { sqlState: "40001" })(error)) throw error;
        await persist();
      }
    };
    await Promise.all(Array.from({ length: 8 }, persist));
    assert.deepEqual(await accounts(), [{ name: "ada", balance: 8 }]);
  });
});

Deno.test("a deadlock is tried again at once", async () => {
  await withAccounts(async (update) => {
    await update({ statement: "add", rows: [{ name: "ada", balance: 0 }, { name: "bob", balance: 0 }] });
    const [ada, bob] = [{ name: "ada" }, { name: "bob" }];
    await Promise.all([
      update({ statement: "lock", rows: [ada, bob] }),
      update({ statement: "lock", rows: [bob, ada] }),
    ]);
    // A sequence does not roll back.
    assert.ok(Number(await server.value("select nextval('tries')")) > 5, "there was a deadlock");
  });
});

Deno.test("a cancel ends what the server does", async () => {
  await withAccounts(async (update) => {
    const controller = new AbortController();
    const reason = new DOMException("cancelled", "AbortError");
    const running = update({ statement: "sleep", params: { seconds: 600 } }, { signal: controller.signal });
    running.catch(() => {});
    await server.at(/pg_sleep/);
    controller.abort(reason);
    await assert.rejects(running, (error) => error === reason);
    await server.quiet();
    // Between rows, and with many on their way.
    const busy = new AbortController();
    const seconds = Array.from({ length: 500 }, () => ({ seconds: 0.05 }));
    const rows = update({ statement: "sleep", rows: seconds }, { signal: busy.signal });
    rows.catch(() => {});
    await server.at(/pg_sleep/);
    busy.abort(reason);
    await assert.rejects(rows, (error) => error === reason);
    await server.quiet();
    assert.equal((await update({ statement: "add", rows: many(3) })).rowCount, 3);
  });
});

Deno.test("a task that was aborted before it began does not connect", async () => {
  await withWorker(`postgres://x@127.0.0.1:${freePort()}/x`, STATEMENTS, async (update) => {
    const reason = new DOMException("shutdown", "AbortError");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(
      update({ statement: "count", params: { to: 1 } }, { signal }),
      (error) => error === reason,
    );
  });
});

Deno.test("a statement's timeout holds on the server", async () => {
  await withAccounts(async (update) => {
    await assert.rejects(
      update({ statement: "sleep-briefly", params: { seconds: 600 } }),
      failing("upstream_timeout", /statement timeout/, { sqlState: "57014" }),
    );
    await server.quiet();
    await update({ statement: "sleep-briefly", rows: [{ seconds: 0.03 }, { seconds: 0.03 }] });
  });
});

Deno.test("too many rows for a result are refused, and nothing is applied", async () => {
  await withAccounts(async (update) => {
    assert.equal((await update({ statement: "count", params: { to: 1000 } })).rows!.length, 1000);
    const begun = performance.now();
    await assert.rejects(
      update({ statement: "count", params: { to: 100_000_000 } }),
      failing("result_too_large", /1000 rows/),
    );
    assert.ok(performance.now() - begun < 10_000, "the server was told to stop");
    const rows = Array.from({ length: 1001 }, (_, i) => ({ name: `${i}`, balance: i }));
    await assert.rejects(update({ statement: "add-once", rows }), failing("result_too_large"));
    assert.deepEqual(await accounts(), []);
  });
});

Deno.test("a connection that breaks rolls back, says so, and is replaced", async () => {
  await withAccounts(async (update) => {
    const running = update({ statement: "sleep", rows: [{ seconds: 0 }, { seconds: 600 }] });
    running.catch(() => {});
    const { pid } = await server.at(/pg_sleep/);
    await server.query("select pg_terminate_backend($1)", pid);
    await assert.rejects(running, failing("connect_failure"));
    assert.equal((await update({ statement: "add", rows: many(3) })).rowCount, 3);
    // One that breaks while it is idle.
    await server.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'errand'",
    );
    await until(
      "a new connection",
      () => update({ statement: "count", params: { to: 1 } }).then(() => true, () => undefined),
    );
  });
});

Deno.test("a wrong DATABASE_URL says what is wrong and never the password", async () => {
  const cases: [Parameters<PostgresServer["url"]>[0], string, RegExp][] = [
    [{ password: "canary-wrong" }, "connect_failure", /refused what DATABASE_URL says: 28P01/],
    [{ username: "nobody" }, "connect_failure", /28P01/],
    [{ pathname: "/nowhere" }, "connect_failure", /3D000/],
    [{ port: `${freePort()}` }, "connect_failure", /No conversation with the database: ECONNREFUSED/],
    [{ hostname: "nowhere.invalid" }, "dns_failure", /no address/],
    [{ hostname: "localhost", search: "?sslmode=verify-full" }, "tls_failure", /No secure connection/],
  ];
  for (const [change, code, message] of cases) {
    await withWorker(server.url(change), STATEMENTS, async (update) => {
      await assert.rejects(update({ statement: "count", params: { to: 1 } }), (error: Error) => {
        assert.ok(failing(code, message)(error), `${error}`);
        assert.doesNotMatch(`${error.message} ${error.stack} ${JSON.stringify(error)}`, /canary/);
        return true;
      });
    });
  }
});

for (const [search, tls] of [["", true], ["?sslmode=require", true], ["?sslmode=disable", false]] as const) {
  Deno.test(`with ${search || "no parameter"} the connection ${tls ? "is" : "is not"} encrypted`, async () => {
    const statements =
      "-- name: tls\n-- returns: rows\nselect ssl from pg_stat_ssl where pid = pg_backend_pid()";
    await withWorker(server.url({ search }), statements, async (update) => {
      assert.deepEqual((await update({ statement: "tls" })).rows, [{ ssl: tls }]);
    });
  });
}
