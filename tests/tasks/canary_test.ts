/**
 * Every secret that the service is told is a canary here, and the tasks that use them succeed, fail, run out of time
 * and crash, before servers that repeat what they were told. None of them is to be found in anything that comes out.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Service, until } from "../service.ts";
import { serving } from "./egress/servers.ts";
import { type Script, ScriptedServer } from "./mail_server.ts";
import { PostgresServer } from "./postgres_server.ts";

/** Letters and digits alone, so that it is the same in URLs and JSON. */
const canary = (name: string) => `c4n4ry${name}${crypto.randomUUID().replaceAll("-", "")}`;
const SMTP = canary("Smtp");
const FETCH = canary("Fetch");
const NOTIFY = { path: canary("Path"), user: canary("User"), password: canary("Password") };
const [SIGNING, WEBHOOK, CLIENTS] = ["Signing", "Webhook", "Clients"].map((name) =>
  `whsec_${btoa(canary(name).slice(0, 36))}`
) as [string, string, string];
const POSTGRES = canary("Postgres");

const STATEMENTS = `
-- name: add
insert into seen (what) values (:what)

-- name: refuse
select cast(current_setting('errand.echo') as int)

-- name: sleep
select pg_sleep(600)
`;

/** What the servers do with everything that is asked of them. */
type Mood = "obliging" | "refusing" | "silent";

const SCRIPTS: Record<Mood, Script> = {
  obliging: { EHLO: "250-localhost\r\n250 AUTH PLAIN", AUTH: "235 welcome" },
  refusing: { message: `554 not with ${SMTP}, nor ${encodeURIComponent(SMTP)}` },
  silent: { message: "" },
};

const mail = { to: "ada@example.com", subject: "Hello", text: "Hi" };
const told = { title: "Backup done", text: "All 12." };
const notifying = (...to: unknown[]) => ["send-notification", { to, ...told }] as const;

/** Of every type that is told a secret, a task that uses it. */
const tasks = (origin: string, statement: string) =>
  [
    ["send-email", mail],
    ["send-bulk-email", {
      subject: "Hello",
      text: "Hi {{name}}",
      recipients: [{ address: "ada@example.com", name: "Ada" }],
    }],
    notifying({ email: mail.to }),
    notifying({ slack: { secret: "OPS" } }),
    notifying({ webhook: { secret: "OPS" } }),
    notifying({ webhook: `${origin}/hook`, secret: CLIENTS }),
    ["fetch-url", {
      requests: [{ url: `${origin}/data`, headers: { authorization: { secret: "X", prefix: "Bearer " } } }],
    }],
    ["update-database", { statement, ...(statement === "add" && { params: { what: "it" } }) }],
  ] as const;

Deno.test("no secret comes out, whatever becomes of the tasks that use it", async (t) => {
  await using postgres = await PostgresServer.start();
  await postgres.query("create table seen (what text)");
  await postgres.query(`create user canary password '${POSTGRES}'; grant all on seen to canary`);
  // It is told by an error, as a careless statement might.
  await postgres.query(`alter user canary set errand.echo = '${POSTGRES}'`);
  await using smtp = await ScriptedServer.start({ ...SCRIPTS.obliging });
  const statements = await Deno.makeTempFile({ suffix: ".sql" });
  await Deno.writeTextFile(statements, STATEMENTS);
  let mood: Mood = "obliging";
  let waiting = 0;
  const release = Promise.withResolvers<void>();

  await serving(async (request, { pathname }) => {
    const echo = JSON.stringify({
      path: pathname,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
    });
    if (mood === "silent") {
      waiting++;
      await release.promise;
    }
    return new Response(echo, {
      status: mood === "refusing" ? 403 : 200,
      statusText: echo.replace(/[^\w ]/g, "").slice(0, 200),
      headers: { "x-echo": echo.replace(/[^\x20-\x7e]/g, ""), "content-type": "text/plain" },
    });
  }, async (origin) => {
    const { host } = new URL(origin);
    await using service = await Service.start({
      LOG_LEVEL: "debug",
      EGRESS_ALLOW: "127.0.0.0/8,::1",
      SMTP_URL: `smtp://errand:${SMTP}@127.0.0.1:${smtp.port}?ignoreTLS=true`,
      MAIL_FROM: "errand@example.org",
      DATABASE_URL: postgres.url({ username: "canary", password: POSTGRES }),
      STATEMENTS_FILE: statements,
      FETCH_SECRET_X: FETCH,
      FETCH_SECRET_X_ORIGINS: origin,
      NOTIFY_SECRET_OPS: `http://${NOTIFY.user}:${NOTIFY.password}@${host}/${NOTIFY.path}#${SIGNING}`,
    });
    const heard = listen(`${service.url}/v1/events`);
    const all: string[] = [];
    const submit = async (statement: string, more: Record<string, unknown>) => {
      const webhook = { url: `${origin}/told`, secret: WEBHOOK };
      const ids = await Promise.all(
        tasks(origin, statement).map(([type, input]) => service.submit(type, input, { webhook, ...more })),
      );
      all.push(...ids);
      return ids;
    };
    const ends = async (ids: readonly string[]) => {
      const tasks = await Promise.all(ids.map((id) => service.final(id)));
      return tasks.map(({ type, status, error }) => `${type} ${error?.code ?? status}`);
    };

    await t.step("where they succeed", async () => {
      const ids = await submit("add", {});
      assert.deepEqual(await ends(ids), tasks(origin, "add").map(([type]) => `${type} succeeded`));
    });

    await t.step("where they fail", async () => {
      mood = "refusing";
      Object.assign(smtp.script, SCRIPTS.refusing);
      assert.deepEqual(await ends(await submit("refuse", { maxAttempts: 1 })), [
        "send-email smtp_rejected",
        "send-bulk-email smtp_rejected",
        "send-notification smtp_rejected",
        ...Array(3).fill("send-notification upstream_status"),
        "fetch-url upstream_status",
        "update-database database_error",
      ]);
    });

    const silence = async (more: Record<string, unknown>) => {
      mood = "silent";
      waiting = 0;
      Object.assign(smtp.script, SCRIPTS.silent);
      return await submit("sleep", { maxAttempts: 1, ...more });
    };

    await t.step("where they run out of time", async () => {
      const codes = await ends(await silence({ timeout: "1s" }));
      const odd = codes.filter((code) => !/ (timeout|outcome_unknown)$/.test(code));
      assert.deepEqual(odd, []);
    });

    await t.step("where their runners crash", async () => {
      // Those that shared a runner are tried once more by themselves, and then run out of time.
      const ids = await silence({ timeout: "5s" });
      await Promise.all(ids.map((id) => service.reached(id, "running")));
      await until("all to be on their way", async () => {
        return waiting >= 4 && (await postgres.working()).some(({ query }) => /pg_sleep/.test(query));
      });
      for (const pid of service.runners()) Deno.kill(pid, "SIGKILL");
      const codes = await ends(ids);
      assert.deepEqual(codes.filter((code) => / succeeded$/.test(code)), []);
      assert.ok(codes.includes("update-database worker_lost"), `${codes}`);
    });
    release.resolve();

    await t.step("nothing has come out", async () => {
      const places = ["/v1/tasks?pageSize=200", "/v1/types", "/v1/stats", "/readyz?verbose", "/openapi.json"];
      const deliveries = await Promise.all(all.map(async (id) => {
        const { deliveries } = await (await service.call("GET", `/v1/tasks/${id}/deliveries`)).json();
        return deliveries.map(({ id }: { id: string }) => id) as string[];
      }));
      assert.ok(deliveries.flat().length >= all.length, "each has told of its end");
      for (const id of [...all, ...deliveries.flat()]) {
        for (const part of ["", "/result", "/logs", "/deliveries"]) places.push(`/v1/tasks/${id}${part}`);
      }
      const shown = new Map<string, string>();
      for (const place of places) shown.set(place, await (await service.call("GET", place)).text());
      shown.set("the log", service.program.output());
      shown.set("the events", await heard.text());
      for (const [path, text] of files(service.dataDir)) shown.set(path, text);
      const everything = [...shown.values()].join("\n");
      // The servers did repeat them.
      for (
        const echo of [/554 not with \[redacted\]/, /Bearer \[redacted\]/, /type integer: .{0,4}\[redacted\]/]
      ) {
        assert.match(everything, echo);
      }
      assert.match(shown.get("the log")!, /A runner died/);
      assert.match(shown.get("the events")!, /task\.failed/);
      assert.deepEqual(
        [...shown].flatMap(([place, text]) => sung(text).map((song) => `${place}: ${song}`)),
        [],
      );
    });
  });
  await Deno.remove(statements);
});

/** The canaries in a text, plain and as they go over the wire, each with what stands before and behind it. */
function sung(text: string): string[] {
  const secrets = [SMTP, FETCH, ...Object.values(NOTIFY), SIGNING, WEBHOOK, CLIENTS, POSTGRES].flatMap(
    (secret) => {
      // Of base64 that begins elsewhere, what does not depend on its beginning.
      const shifted = [0, 1, 2].map((at) =>
        Buffer.from(secret.slice(at, at + 24)).toString("base64").slice(0, 32)
      );
      const key = secret.startsWith("whsec_") ? [secret.slice(6), atob(secret.slice(6))] : [];
      return [secret, ...key, ...shifted, Buffer.from(secret).toString("hex")];
    },
  );
  return secrets.flatMap((secret) => {
    const at = text.indexOf(secret);
    return at < 0 ? [] : [text.slice(Math.max(0, at - 100), at + secret.length + 20)];
  });
}

/** Everything that is told from now on. */
function listen(url: string): { text(): Promise<string> } {
  const controller = new AbortController();
  let text = "";
  const done = (async () => {
    const response = await fetch(url, { signal: controller.signal });
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) text += piece;
  })().catch(() => {});
  return {
    async text() {
      controller.abort();
      await done;
      return text;
    },
  };
}

function* files(folder: string): Generator<[path: string, text: string]> {
  for (const { name, isDirectory, isFile } of Deno.readDirSync(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* files(path);
    else if (isFile) yield [path, new TextDecoder("latin1").decode(Deno.readFileSync(path))];
  }
}
