import assert from "node:assert/strict";
import fc from "fast-check";
import { type Config, ConfigError, helpText, loadConfig, parseSize, rights } from "../config.ts";

function problemsOf(env: Record<string, string | undefined>): readonly string[] {
  try {
    loadConfig(env, "/srv");
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.problems;
  }
  return [];
}

Deno.test("an empty environment gives the defaults of the design", () => {
  const { env, ...values } = loadConfig({}, "/srv");
  assert.deepEqual(values, {
    host: "127.0.0.1",
    port: 8000,
    apiKeysFile: undefined,
    allowAnonymous: false,
    rateLimit: undefined,
    keyConcurrency: undefined,
    streamsPerKey: 100,
    streamsMax: 20_000,
    waitMax: 60_000,
    waitersMax: 10_000,
    storeUrl: "memory:",
    dataDir: "/srv/data",
    tasksDir: undefined,
    runners: "on",
    scrapeContact: undefined,
    smtpUrl: undefined,
    mailFrom: undefined,
    databaseUrl: undefined,
    statementsFile: undefined,
    logLevel: "info",
    queueMax: 100_000,
    queueMaxBytes: 256 * 2 ** 20,
    bodyMax: 2 ** 20,
    batchBodyMax: 10 * 2 ** 20,
    idempotencyKept: 86_400_000,
    bodyTimeout: 15_000,
    fileMax: 100 * 2 ** 20,
    filesMaxBytes: 10 * 2 ** 30,
    fileRetention: 7 * 86_400_000,
    jsonDepthMax: 64,
    jsonNodesMax: 10_000,
    resultMax: 2 ** 20,
    retentionSucceeded: 86_400_000,
    retentionFailed: 7 * 86_400_000,
    retentionBytes: 2 ** 30,
    backoffBase: 2_000,
    backoffMax: 600_000,
    lease: 30_000,
    grace: 5_000,
    drainTimeout: 20_000,
    egressAllow: undefined,
    runnerIdle: 30_000,
    loadTimeout: 10_000,
    nice: 10,
  });
  assert.deepEqual(env, { DATA_DIR: "/srv/data" });
});

Deno.test("settings keep their types", () => {
  const config: Config = loadConfig({}, "/srv");
  const typed: { port: number; runners: "on" | "off"; logLevel: "debug" | "info" | "warn" | "error" } =
    config;
  // @ts-expect-error an optional setting may be absent
  const tasksDir: string = config.tasksDir;
  assert.deepEqual([typed.port, tasksDir], [8000, undefined]);
});

Deno.test("an empty variable is an unset one", () => {
  const names = helpText().split("\n").map((line) => line.trim().split(" ")[0]!);
  const empty = Object.fromEntries(names.map((name) => [name, ""]));
  const { env: _, ...values } = loadConfig(empty, "/srv");
  const { env: __, ...defaults } = loadConfig({}, "/srv");
  assert.deepEqual(values, defaults);
});

Deno.test("paths become absolute, and the environment carries the absolute DATA_DIR", () => {
  const config = loadConfig(
    { DATA_DIR: "var", TASKS_DIR: "../mine", SMTP_URL: "smtp://h", X: "1" },
    "/srv/app",
  );
  assert.equal(config.dataDir, "/srv/app/var");
  assert.equal(config.tasksDir, "/srv/mine");
  assert.deepEqual(config.env, {
    DATA_DIR: "/srv/app/var",
    TASKS_DIR: "../mine",
    SMTP_URL: "smtp://h",
    X: "1",
  });
});

Deno.test("the config is frozen throughout and is no window onto the environment", () => {
  const env: Record<string, string> = { A: "1" };
  const config = loadConfig(env, "/srv");
  env.A = "2";
  assert.equal(config.env.A, "1");
  assert.throws(() => Object.assign(config, { port: 1 }), TypeError);
  assert.throws(() => Object.assign(config.env, { A: "3" }), TypeError);
});

Deno.test("every problem is reported at once, with the variable, what it got and what is expected", () => {
  const problems = problemsOf({
    PORT: "http",
    LOG_LEVEL: "loud",
    QUEUE_MAX: "-1",
    BODY_MAX: "1 cow",
    GRACE: "soon",
    NICE: "20",
    RUNNERS: "maybe",
    STORE_URL: "sqlite:./tasks.db",
    HOST: "0.0.0.0",
  });
  assert.equal(problems.length, 9);
  for (
    const name of [
      "PORT",
      "LOG_LEVEL",
      "QUEUE_MAX",
      "BODY_MAX",
      "GRACE",
      "NICE",
      "RUNNERS",
      "STORE_URL",
      "HOST",
    ]
  ) {
    const problem = problems.find((line) => line.startsWith(`${name}: got `));
    assert.match(problem ?? "", /, expected ./, name);
  }
  assert.ok(problems.includes('PORT: got "http", expected a whole number from 0 to 65535'));
  assert.equal(new ConfigError(problems).message, problems.join("\n"));
});

Deno.test("secrets are never echoed", () => {
  const secret = "hunter2";
  const pasted = [
    `http://ada:${secret}@mail.example.com`,
    `ada:${secret}@mail.example.com`,
    `smtp://ada:${secret}%@mail.example.com`,
    `${secret}`,
    `smtp://ada:a/${secret}@`,
  ];
  for (const value of pasted) {
    const [problem, ...more] = problemsOf({ SMTP_URL: value });
    assert.match(problem ?? "", /^SMTP_URL: got a value that is not shown/);
    assert.ok(!problem!.includes(secret) && more.length === 0);
  }
  for (const value of [`redis://:${secret}@cache`, secret, `${secret}:x`, `rediss://ada:${secret}@cache`]) {
    assert.ok(!problemsOf({ STORE_URL: value })[0]!.includes(secret), value);
  }
  assert.match(problemsOf({ STORE_URL: `redis://:${secret}@cache` })[0]!, /got redis:…/);
  for (const name of ["HOST", "PORT", "MAIL_FROM", "QUEUE_MAX"]) {
    assert.ok(!problemsOf({ [name]: `smtp://ada:${secret}@mail.example.com` })[0]!.includes(secret), name);
  }
});

Deno.test("without ALLOW_ANONYMOUS only a loopback address will do", () => {
  for (const host of ["127.0.0.1", "127.8.8.8", "localhost", "::1", "[::1]"]) {
    assert.deepEqual(problemsOf({ HOST: host }), [], host);
  }
  for (
    const host of ["0.0.0.0", "::", "example.com", "192.168.0.2", "127.0.0.1.example.com", "127.0.0.999"]
  ) {
    assert.match(problemsOf({ HOST: host })[0] ?? "", /^HOST: .*ALLOW_ANONYMOUS=true/, host);
    assert.deepEqual(problemsOf({ HOST: host, ALLOW_ANONYMOUS: "true" }), [], host);
  }
  for (const host of ["127.0.0.1:80", "http://127.0.0.1", "a b", "-", "a/b"]) {
    assert.match(problemsOf({ HOST: host, ALLOW_ANONYMOUS: "true" })[0] ?? "", /without a port/, host);
  }
});

Deno.test("with a key file any address will do", () => {
  assert.deepEqual(problemsOf({ HOST: "0.0.0.0", API_KEYS_FILE: "keys.json" }), []);
  assert.equal(loadConfig({ API_KEYS_FILE: "keys.json" }, "/srv").apiKeysFile, "/srv/keys.json");
  assert.match(problemsOf({ HOST: "0.0.0.0", API_KEYS_FILE: "" })[0] ?? "", /^HOST: .*API_KEYS_FILE/);
});

Deno.test("a rate is a count in a second, minute, hour or day", () => {
  assert.deepEqual(loadConfig({ RATE_LIMIT: "1000/m" }, "/").rateLimit, { quota: 1000, window: 60 });
  for (const text of ["0/s", "100", "100/x", "-1/s", "1.5/s", "999999999/s", "100 / s"]) {
    assert.match(problemsOf({ RATE_LIMIT: text })[0] ?? "", /^RATE_LIMIT: .*such as 100\/s/, text);
  }
});

Deno.test("settings that contradict each other are a problem", () => {
  assert.match(problemsOf({ BACKOFF_BASE: "1h" })[0] ?? "", /^BACKOFF_MAX: .*at least BACKOFF_BASE/);
});

Deno.test("mail settings take what a mail server needs and no header injection", () => {
  for (const url of ["smtp://h", "smtps://ada:p%40ss@h:465", "smtp://[::1]:25", "smtp://h?pool=true"]) {
    assert.equal(loadConfig({ SMTP_URL: url }, "/").smtpUrl, url);
  }
  for (const from of ["ada@example.com", "Ada <ada@example.com>", "<ada@example.com>"]) {
    assert.equal(loadConfig({ MAIL_FROM: from }, "/").mailFrom, from);
  }
  for (const from of ["ada", "a@b\r\nBcc: c@d", "Ada\n <a@b>", "a@b, c@d", "Ada <a@b> x"]) {
    assert.match(problemsOf({ MAIL_FROM: from })[0] ?? "", /^MAIL_FROM: /, from);
  }
});

Deno.test("whom sites may turn to is a page or an address, and nothing that ends a header's comment", () => {
  for (const contact of ["https://example.org/bot?a=1", "bot@example.org"]) {
    assert.equal(loadConfig({ SCRAPE_CONTACT: contact }, "/").scrapeContact, contact);
  }
  for (
    const contact of ["me", "ftp://example.org/", "https://example.org/)x", "a@b c", "https://ü.example/"]
  ) {
    assert.match(problemsOf({ SCRAPE_CONTACT: contact })[0] ?? "", /^SCRAPE_CONTACT: /, contact);
  }
});

Deno.test("DATABASE_URL is checked at start and not shown", () => {
  for (const url of ["postgres://ada:p%40ss@h:5432/d?sslmode=verify-full", "sqlite:./data/app.db"]) {
    assert.equal(loadConfig({ DATABASE_URL: url }, "/").databaseUrl, url);
  }
  for (const url of ["hunter2", "mysql://u:hunter2@h/d", "sqlite:hunter2,x"]) {
    const [problem = ""] = problemsOf({ DATABASE_URL: url });
    assert.match(problem, /^DATABASE_URL: /);
    assert.doesNotMatch(problem, /hunter2/);
  }
});

Deno.test("a duration that a timer could not hold is refused", () => {
  assert.equal(loadConfig({ LEASE: "24d" }, "/").lease, 24 * 86_400_000);
  assert.match(problemsOf({ LEASE: "25d" })[0] ?? "", /from 1s to 24d/);
  assert.match(problemsOf({ LEASE: "999ms" })[0] ?? "", /from 1s to 24d/);
});

Deno.test("a folder with a comma, which Deno's command line cannot express, is refused by name", () => {
  for (const name of ["DATA_DIR", "TASKS_DIR"]) {
    assert.match(problemsOf({ [name]: "/srv/a,b" })[0] ?? "", new RegExp(`^${name}: .*without a comma`));
  }
});

Deno.test("the rights are what the settings need", () => {
  assert.deepEqual(rights({}, "/srv"), {
    net: "127.0.0.1:8000",
    read: ".,/srv/data",
    write: "/srv/data",
    keys: "keys.json,keys.json.lock",
  });
  const env = { HOST: "::1", PORT: "80", DATA_DIR: "/var/errand", TASKS_DIR: "my tasks", API_KEYS_FILE: "k" };
  assert.deepEqual(rights(env, "/srv"), {
    net: "[::1]:80",
    read: ".,/var/errand,/srv/my tasks,/srv/k",
    write: "/var/errand",
    keys: "/srv/k,/srv/k.lock",
  });
});

Deno.test("settings that are wrong do not keep the program from saying so", () => {
  for (
    const env of [{ PORT: "99999" }, { PORT: "abc" }, { HOST: "a..b", ALLOW_ANONYMOUS: "true" }, {
      DATA_DIR: ",",
    }]
  ) {
    assert.equal(problemsOf(env).length, 1, JSON.stringify(env));
    assert.equal(rights(env, "/srv").net, "127.0.0.1:8000");
  }
  assert.equal(rights({}, "/a,b").net, "127.0.0.1:8000");
});

Deno.test("the help lists every setting with its default and meaning, in columns", () => {
  const lines = helpText().split("\n");
  assert.equal(lines.length, Object.keys(loadConfig({}, "/")).length - 1);
  assert.ok(lines.every((line) => line.length <= 110));
  const columns = lines.map((line) => /^ {2}([A-Z_]+) +(\S+) +/.exec(line));
  assert.equal(new Set(columns.map((match) => match?.[0].length)).size, 1);
  for (const [, name, fallback] of columns.map((match) => match!)) {
    if (fallback !== "-") assert.deepEqual(problemsOf({ [name!]: fallback }), [], name);
  }
});

Deno.test("whatever the environment holds, loading gives a config or problems, one a variable", () => {
  const names = helpText().split("\n").map((line) => line.trim().split(" ")[0]!);
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom("0", "1", "true", "1s", "1KiB", "memory:"),
  );
  fc.assert(fc.property(fc.dictionary(fc.constantFrom(...names), value), (env) => {
    const accused = problemsOf(env).map((problem) => problem.split(":")[0]!);
    assert.equal(new Set(accused).size, accused.length);
    assert.ok(accused.every((name) => names.includes(name)));
  }));
});

Deno.test("sizes are read with and without units", () => {
  const sizes = {
    "1048576": 2 ** 20,
    "1MiB": 2 ** 20,
    "256KB": 256_000,
    "1 GiB": 2 ** 30,
    "1.5kib": 1536,
    "0 b": 0,
  };
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseSize(text), bytes, text);
});

Deno.test("a size that was written is read again", () => {
  const units = { "": 1, B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };
  const unit = fc.constantFrom(...Object.entries(units));
  fc.assert(fc.property(fc.nat(1_000_000), unit, fc.constantFrom("", " "), (amount, [name, factor], gap) => {
    assert.equal(parseSize(`${amount}${gap}${name}`), amount * factor);
    assert.equal(parseSize(`${amount}${gap}${name.toLowerCase()}`), amount * factor);
  }));
});

Deno.test("what is no size is undefined, and nothing throws", () => {
  for (
    const junk of [
      "",
      " ",
      "MiB",
      "-1",
      "+1",
      "1e3",
      "0x10",
      "1.",
      ".5",
      "1 2",
      "1M",
      "1 KiBs",
      "Infinity",
      "NaN",
    ]
  ) {
    assert.equal(parseSize(junk), undefined, junk);
  }
  assert.equal(parseSize("9".repeat(64)), undefined);
  assert.equal(parseSize("9007199254740993"), undefined);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[0-9.kKmMiIbB ]*$/)), (text) => {
      const bytes = parseSize(text);
      assert.ok(bytes === undefined || (Number.isSafeInteger(bytes) && bytes >= 0));
    }),
  );
});
