import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { compile } from "../../tasks/lib/database/sql.ts";
import { parseStatements } from "../../tasks/lib/database/statements.ts";
import { parseDatabaseUrl, type PostgresAddress } from "../../tasks/lib/database/url.ts";

const FILE = `\uFEFF-- What the shop may do.
-- name: add-user

insert into users -- once upon a time
  (name) values (:name); -- :ignored

-- name: Rename_2
-- once
-- returns: rows
-- timeout: 1m 5s
-- isolation: Repeatable Read
update users set name = :to where name = :from;
insert into log (what) values (:from || ':to')
`.replaceAll("\n", "\r\n");

Deno.test("a file of statements is read with its annotations", () => {
  assert.deepEqual([...parseStatements(FILE, "postgres").values()], [
    {
      name: "add-user",
      commands: [{
        text: "insert into users -- once upon a time\n  (name) values ($1)",
        names: ["name"],
      }],
      names: ["name"],
      once: false,
      returnsRows: false,
      timeout: 30_000,
      isolation: "read committed",
    },
    {
      name: "Rename_2",
      commands: [
        { text: "update users set name = $1 where name = $2", names: ["to", "from"] },
        { text: "insert into log (what) values ($1 || ':to')", names: ["from"] },
      ],
      names: ["to", "from"],
      once: true,
      returnsRows: true,
      timeout: 65_000,
      isolation: "repeatable read",
    },
  ]);
  assert.equal(parseStatements("", "sqlite").size, 0);
});

for (
  const [file, message] of [
    ["select 1", /line 1: SQL belongs below/],
    ["-- name: a b\nselect 1", /line 1: a name is/],
    ["-- name:\nselect 1", /line 1: a name is/],
    ["-- name: a\nselect 1\n-- name: a\nselect 2", /line 3: there is a statement a already/],
    ["-- name: a\n-- onec\nselect 1", /line 2: below a name there may be "-- once"/],
    ["-- name: a\n\n  -- Adds a user\nselect 1", /line 3: below a name there may be/],
    ["-- name: a\nselect 1\n -- once", /line 3: below a name .* and not below its SQL/],
    ["-- name: a\nselect 1;\n\n-- timeout: 5s\nselect 2", /line 4:/],
    ["-- name: a\n-- once: yes\nselect 1", /line 2:/],
    ["-- name: a\n-- timeout: soon\nselect 1", /line 2:/],
    ["-- name: a\n-- timeout: 0s\nselect 1", /line 2:/],
    ["-- name: a\n-- isolation: snapshot\nselect 1", /line 2:/],
    ["\n-- name: a\n", /line 2: a: it has no SQL/],
    ["-- name: a\n-- once\n;;", /line 1: a: it has no SQL/],
    ["-- name: a\nbegin; select 1", /line 1: a: begin is not for statements/],
    ["-- name: a\nselect 1; COMMIT", /line 1: a: commit is not/],
    ["-- name: a\nselect $1", /line 1: a: \$1 is not a parameter here: write :name/],
    ["-- name: a\nselect 'x", /line 1: a: its ' has no end/],
    ["-- name: a\nselect /* /* */ */ 1", /line 1: a: it has a comment within a comment/],
  ] as const
) {
  Deno.test(`the file ${JSON.stringify(file)} is refused, naming the line`, () => {
    assert.throws(() => parseStatements(file, "postgres"), (error: Error) => {
      assert.match(error.message, message);
      assert.ok(error instanceof TypeError && error.message.startsWith("STATEMENTS_FILE, "));
      return true;
    });
  });
}

for (const place of ["?", "?1", "@a", "$1"]) {
  Deno.test(`SQLite's own place ${place} is refused`, () => {
    assert.throws(() => compile(`select ${place}`, "sqlite"), /is not a parameter here/);
  });
}

Deno.test("names inside of quotes, comments and casts are left alone", () => {
  const same = [
    `select 'it''s :a', E'\\':a', ":a"":a", $$ ':a' $$, $t$ :a $$ $t$, x::int, a[1:2] -- :a`,
    "select /* :a ' */ j ? 'k', j @> '{}', `:a`, e':a\\\\' := b",
  ];
  for (const text of same) assert.deepEqual(compile(text, "postgres"), [{ text, names: [] }]);
  assert.deepEqual(compile("select :a,:b::int,:a_1+:a", "postgres"), [
    { text: "select $1,$2::int,$3+$1", names: ["a", "b", "a_1"] },
  ]);
  assert.deepEqual(compile("select :é, :a", "sqlite"), [{ text: "select :é, ?1", names: ["a"] }]);
});

Deno.test("SQLite reads compiled SQL as it was meant, whatever text is quoted in it", () => {
  const database = new DatabaseSync(":memory:");
  const text = fc.array(fc.constantFrom(":a", "'", '"', "--", "/*", "*/", ";", "$1", "?", "\n", "x", "\\"))
    .map((parts) => parts.join(""));
  const quoted = text.map((value) => ({ sql: `'${value.replaceAll("'", "''")}'`, value }));
  const comment = text.map((value) => `/*${value.replaceAll(/[*/]/g, "")}*/`);
  try {
    fc.assert(fc.property(quoted, quoted, comment, text, (first, second, comment, given) => {
      const [command, ...rest] = compile(
        `select ${first.sql} ${comment} as p, :a as q, ${second.sql} as r;`,
        "sqlite",
      );
      assert.deepEqual([command!.names, rest], [["a"], []]);
      const row = database.prepare(command!.text).get(given)!;
      assert.deepEqual([row.p, row.q, row.r], [first.value, given, second.value]);
    }));
  } finally {
    database.close();
  }
});

Deno.test("nothing in a file does worse than a TypeError", () => {
  const piece = fc.constantFrom(
    "-- name: a",
    "-- once",
    "select",
    ":a",
    "'",
    '"',
    "$$",
    ";",
    "/*",
    "*/",
    "--",
    "\n",
    " ",
    "é",
  );
  fc.assert(fc.property(fc.array(piece), fc.constantFrom("postgres", "sqlite"), (pieces, dialect) => {
    try {
      parseStatements(pieces.join(""), dialect);
    } catch (error) {
      assert.ok(error instanceof TypeError);
    }
  }));
});

const server: PostgresAddress = {
  kind: "postgres",
  host: "db.example.com",
  port: 5432,
  user: "u",
  password: "p@/:",
  database: "shop",
  sslmode: "prefer",
};
for (
  const [url, address] of [
    ["postgres://u:p%40%2F%3A@db.example.com/shop", server],
    ["postgresql://u:p%40%2F%3A@db.example.com:6543/shop?sslmode=verify-full", {
      ...server,
      port: 6543,
      sslmode: "verify-full",
    }],
    ["postgres://u@[::1]:5433", { ...server, host: "::1", port: 5433, password: "", database: "u" }],
    ["sqlite:./data/app.db", { kind: "sqlite", path: "./data/app.db" }],
    ["sqlite:/srv/app.db", { kind: "sqlite", path: "/srv/app.db" }],
    ["sqlite:///srv/app.db", { kind: "sqlite", path: "/srv/app.db" }],
  ] as const
) {
  Deno.test(`DATABASE_URL ${url} is understood`, () => assert.deepEqual(parseDatabaseUrl(url), address));
}

for (
  const url of [
    "hunter2",
    "mysql://u:hunter2@h/d",
    "postgres://u:hunter2%ZZ@h/d",
    "postgres://u:hunter2@h/d?sslmode=maybe",
    "postgres://u:hunter2@h/d?options=-c%20x",
    "postgres:///hunter2",
    "postgres://h/hunter2",
    "sqlite:",
    "sqlite::memory:",
    "sqlite://hunter2/x",
    "sqlite:hunter2?mode=ro",
  ]
) {
  Deno.test(`DATABASE_URL ${url} is refused without being shown`, () => {
    assert.throws(() => parseDatabaseUrl(url), (error: Error) => {
      assert.match(error.message, /^DATABASE_URL/);
      assert.doesNotMatch(error.message, /hunter2/);
      return error instanceof TypeError;
    });
  });
}
