import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import definition from "../../../tasks/send_notification.ts";
import { Service, until } from "../../service.ts";
import { contextFor, Memory, perform } from "../context.ts";
import { failureOf, raw, serving } from "../egress/servers.ts";
import { MailServer } from "../mail_server.ts";

// Read once, by the first test that needs it.
Deno.env.set("EGRESS_ALLOW", "127.0.0.0/8,::1");
Deno.test.afterAll(() => Deno.env.delete("EGRESS_ALLOW"));

interface Result {
  delivered: { to: number; channel: string }[];
  failed: { to: number; channel: string; code: string; message: string; status?: number }[];
}
interface Received {
  path: string;
  headers: Record<string, string>;
  body: Record<string, unknown> & { text?: string };
  raw: string;
}

const SECRET = `whsec_${btoa("0123456789abcdefghijklmn")}`;
const message = { title: "Backup done", text: "All 12." };
const notify = (to: unknown[], context = contextFor(), more = {}) => {
  const setup = definition.setup?.({ signal: new AbortController().signal });
  return perform(definition, { ...message, to, ...more }, Object.assign(context, { setup })) as Promise<
    Result
  >;
};

/** A server that keeps what it is told, and answers by path: what it is given, or 200. */
async function listening(
  answers: Record<string, () => Response | Promise<Response>>,
  test: (origin: string, heard: Received[]) => Promise<void>,
): Promise<void> {
  const heard: Received[] = [];
  await serving(async (request, { pathname: path, search }) => {
    const raw = await request.text();
    heard.push({
      path: path + search,
      headers: Object.fromEntries(request.headers),
      body: JSON.parse(raw),
      raw,
    });
    return await answers[path]?.() ?? new Response("ok");
  }, (origin) => test(origin, heard));
}

const status = (status: number, headers = {}) => () => new Response("no", { status, headers });

async function withEnv(env: Record<string, string>, test: () => Promise<void>): Promise<void> {
  for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
  try {
    await test();
  } finally {
    for (const name of Object.keys(env)) Deno.env.delete(name);
  }
}

Deno.test("every channel is told in its own way", async () => {
  await using mail = await MailServer.start();
  await withEnv(
    { SMTP_URL: `smtp://127.0.0.1:${mail.port}?ignoreTLS=true`, MAIL_FROM: "e@example.org" },
    async () => {
      await listening({ "/discord": () => new Response(null, { status: 204 }) }, async (origin, heard) => {
        const controller = new AbortController();
        const context = Object.assign(contextFor(), {
          setup: definition.setup?.({ signal: controller.signal }),
        });
        const to = [
          { webhook: `${origin}/hook`, secret: SECRET },
          { slack: `${origin}/slack` },
          { discord: `${origin}/discord` },
          { teams: `${origin}/teams` },
          { ntfy: `${origin}/alerts` },
          { email: ["Ada <ada@example.com>", "b@example.com"] },
        ];
        const input = { to, ...message, url: "https://example.com/log", level: "warning" };
        const result = await perform(definition, input, context) as Result;
        assert.deepEqual(result, {
          delivered: ["webhook", "slack", "discord", "teams", "ntfy", "email"].map((channel, to) => ({
            to,
            channel,
          })),
          failed: [],
        });
        const at = (path: string) => heard.find((each) => each.path === path)!;
        const hook = at("/hook");
        new Webhook(SECRET).verify(hook.raw, hook.headers);
        assert.equal(hook.headers["webhook-id"], `${context.id}-0`);
        const { type, timestamp, data } = hook.body;
        assert.deepEqual([type, data], [
          "notification",
          { ...message, url: "https://example.com/log", level: "warning" },
        ]);
        assert.ok(Math.abs(Date.parse(timestamp as string) - Date.now()) < 60_000);
        assert.equal(at("/slack").body.text, "⚠️ Backup done");
        assert.ok(at("/discord?wait=true").body.embeds);
        assert.equal(at("/teams").body.type, "message");
        assert.deepEqual([at("/").body.topic, at("/").body.message], ["alerts", "All 12."]);
        assert.ok(heard.every(({ headers }) => headers["content-type"] === "application/json"));
        assert.deepEqual(mail.mails.map(({ to }) => to), [["ada@example.com", "b@example.com"]]);
        const { raw } = mail.mails[0]!;
        assert.match(raw, /^Subject: \[warning\] Backup done\r$/m);
        assert.match(raw, new RegExp(`^Message-ID: <${context.id}-5@example.org>\r$`, "m"));
        assert.match(raw, /All 12\.\r\n\r\nhttps:\/\/example\.com\/log\r\n/);
        controller.abort();
      });
    },
  );
});

Deno.test("a channel that fails for good does not stop the others, and is named", async () => {
  await listening({ "/gone": status(404), "/moved": status(302, { location: "/" }) }, async (origin) => {
    const context = contextFor();
    const { delivered, failed } = await notify(
      [{ slack: `${origin}/gone` }, { discord: `${origin}/ok` }, { teams: `${origin}/moved` }],
      context,
    );
    assert.deepEqual(delivered, [{ to: 1, channel: "discord" }]);
    assert.deepEqual(failed.map(({ to, code, status }) => [to, code, status]), [
      [0, "upstream_status", 404],
      [2, "upstream_status", 302],
    ]);
    assert.ok(
      context.logged.some((line) =>
        /^warn: Not delivered to slack \(0\): localhost:\d+ answered 404/.test(line)
      ),
    );
  });
});

Deno.test("where none could be reached, the task fails, as the only one did, or with all of them", async () => {
  await listening({ "/404": status(404), "/403": status(403) }, async (origin) => {
    const one = await failureOf(notify([{ slack: `${origin}/404` }]));
    assert.deepEqual([one.code, one.details, one.retryable], ["upstream_status", { status: 404 }, false]);
    const two = await failureOf(notify([{ slack: `${origin}/404` }, { teams: `${origin}/403` }]));
    assert.deepEqual([two.code, two.retryable], ["partial_failure", false]);
    assert.deepEqual(two.details, {
      succeeded: 0,
      failed: 2,
      failures: [
        { to: 0, channel: "slack", code: "upstream_status", status: 404 },
        { to: 1, channel: "teams", code: "upstream_status", status: 403 },
      ],
    });
  });
});

Deno.test("another attempt tells those who were not reached, and nobody twice", async () => {
  let down = true;
  const busy = () =>
    down ? new Response(null, { status: 429, headers: { "retry-after": "9" } }) : new Response();
  await listening({ "/busy": busy, "/gone": status(410) }, async (origin, heard) => {
    const to = [{ slack: `${origin}/a` }, { discord: `${origin}/busy` }, { teams: `${origin}/gone` }, {
      webhook: `${origin}/busy`,
    }];
    const checkpoint = new Memory();
    const id = crypto.randomUUID();
    const failure = await failureOf(notify(to, contextFor({ id, checkpoint })));
    assert.deepEqual([failure.code, failure.retryable, failure.retryAfter], ["partial_failure", true, 9_000]);
    assert.deepEqual([failure.details?.succeeded, failure.details?.failed], [1, 3]);
    assert.equal(heard.length, 4);
    down = false;
    const result = await notify(to, contextFor({ id, attempt: 2, checkpoint: checkpoint.next() }));
    assert.deepEqual(heard.slice(4).map(({ path }) => path).sort(), ["/busy", "/busy?wait=true"]);
    assert.deepEqual(result.delivered.map(({ to }) => to), [0, 1, 3]);
    assert.deepEqual(result.failed.map(({ to, status }) => [to, status]), [[2, 410]]);
    const hooks = heard.filter(({ path }) => path === "/busy");
    assert.equal(hooks[0]!.headers["webhook-id"], hooks[1]!.headers["webhook-id"]);
    assert.equal(hooks[0]!.raw, hooks[1]!.raw, "the same message");
  });
});

Deno.test("what may have arrived is not sent again by guess; a webhook is, as its receiver knows its id", async () => {
  const deaf = (socket: { once(event: "data", then: () => void): void; destroy(): void }) =>
    socket.once("data", () => socket.destroy());
  await raw(deaf, async (origin) => {
    const { code, retryable } = await failureOf(notify([{ slack: origin }]));
    assert.deepEqual([code, retryable], ["outcome_unknown", false]);
    const hook = await failureOf(notify([{ webhook: origin }]));
    assert.deepEqual([hook.code, hook.retryable], ["connect_failure", true]);
  });
  const nobody = await failureOf(notify([{ slack: "http://127.0.0.1:9999/" }]));
  assert.deepEqual([nobody.code, nobody.retryable], ["connect_failure", true], "nothing was sent");
});

Deno.test("an attempt that was ended half way leaves what it had begun unknown, and the next one says so", async () => {
  const stuck = Promise.withResolvers<Response>();
  await listening({ "/slow": () => stuck.promise }, async (origin, heard) => {
    const to = [{ slack: `${origin}/slow` }, { teams: `${origin}/fast` }, { webhook: `${origin}/slow` }];
    const controller = new AbortController();
    const checkpoint = new Memory();
    const reason = new DOMException("timeout", "TimeoutError");
    const attempt = notify(to, contextFor({ checkpoint, signal: controller.signal }));
    await until("all to be told", () => heard.length === 3 && checkpoint.saves >= 2);
    controller.abort(reason);
    await assert.rejects(attempt, (error) => error === reason);
    stuck.resolve(new Response());
    const { delivered, failed } = await notify(to, contextFor({ checkpoint: checkpoint.next() }));
    assert.deepEqual(delivered, [{ to: 1, channel: "teams" }, { to: 2, channel: "webhook" }]);
    assert.deepEqual(failed.map(({ to, code }) => [to, code]), [[0, "outcome_unknown"]]);
    assert.deepEqual(heard.slice(3).map(({ path }) => path), ["/slow"]);
  });
});

Deno.test("without a checkpoint nothing is sent", async () => {
  await listening({}, async (origin, heard) => {
    const checkpoint = Object.assign(new Memory(), {
      save: () => Promise.reject(new Error("The store is away.")),
    });
    await assert.rejects(notify([{ slack: origin }], contextFor({ checkpoint })), /store is away/);
    assert.equal(heard.length, 0);
  });
});

Deno.test("an operator's channel is named by the task, and never shown", async () => {
  await listening({}, async (origin, heard) => {
    const { host } = new URL(origin);
    await withEnv({
      NOTIFY_SECRET_OPS: `http://ada:p%40ss@${host}/hook/canary#${SECRET}`,
      NOTIFY_SECRET_PHONE: `http://:tk_canary@${host}/alerts`,
      NOTIFY_SECRET_BROKEN: "canary",
    }, async () => {
      const context = contextFor();
      const result = await notify([
        { webhook: { secret: "OPS" } },
        { ntfy: { secret: "PHONE" } },
        { slack: { secret: "BROKEN" } },
      ], context);
      const [hook, ntfy] = [
        heard.find(({ path }) => path === "/hook/canary")!,
        heard.find(({ path }) => path === "/")!,
      ];
      new Webhook(SECRET).verify(hook.raw, hook.headers);
      assert.equal(hook.headers.authorization, `Basic ${btoa("ada:p@ss")}`);
      assert.equal(ntfy.headers.authorization, `Basic ${btoa(":tk_canary")}`);
      assert.deepEqual(result.failed.map(({ to, code }) => [to, code]), [[2, "invalid_input"]]);
      assert.doesNotMatch(JSON.stringify([result, context.logged]), /canary/);
    });
  });
});

for (
  const [what, to, at] of [
    ["nobody", [], "to"],
    ["a channel without one", [{}], "to/0"],
    ["two at once", [{ slack: "https://example.com/", teams: "https://example.com/" }], "to/0"],
    ["another one than there is", [{ carrierPigeon: "x" }], "to/0"],
    ["a target inside", [{ slack: "http://10.0.0.1/" }], "to/0/slack"],
    ["an operator's that there is not", [{ slack: { secret: "NONE" } }], "to/0/slack/secret"],
    ["a secret for Slack", [{ slack: "https://example.com/", secret: SECRET }], "to/0/secret"],
    ["a secret that is none", [{ webhook: "https://example.com/", secret: "x" }], "to/0/secret"],
    ["ntfy without a topic", [{ ntfy: "https://ntfy.sh/" }], "to/0/ntfy"],
    ["a list of mailboxes in one", [{ email: "a@b.example, c@d.example" }], "to/0/email"],
    ["an empty list of mailboxes", [{ email: [] }], "to/0/email"],
  ] as const
) {
  Deno.test(`${what} is refused, and where`, () => {
    const { error } = definition.input.safeParse({ ...message, to });
    assert.equal(error?.issues[0]?.path.join("/"), at, JSON.stringify(error?.issues));
  });
}

for (
  const [what, more, at] of [
    ["a title of two lines", { title: "a\r\nBcc: x@y.example" }, "title"],
    ["no text", { text: "" }, "text"],
    ["a script for a link", { url: "javascript:alert(1)" }, "url"],
    ["a level that there is not", { level: "panic" }, "level"],
  ] as const
) {
  Deno.test(`${what} is refused, and where`, () => {
    const { error } = definition.input.safeParse({
      ...message,
      to: [{ slack: "https://example.com/" }],
      ...more,
    });
    assert.equal(error?.issues[0]?.path.join("/"), at);
  });
}

Deno.test("in the service, another attempt tells nobody twice, and nobody sees where the operator is", async () => {
  let times = 0;
  await listening(
    { "/flaky": () => new Response(null, { status: ++times < 3 ? 503 : 200 }) },
    async (origin, heard) => {
      await using service = await Service.start({
        EGRESS_ALLOW: "127.0.0.0/8,::1",
        NOTIFY_SECRET_OPS: `${origin}/canary`,
      });
      const task = await service.run("send-notification", {
        ...message,
        to: [{ slack: { secret: "OPS" } }, { teams: `${origin}/flaky` }, { email: "ada@example.com" }],
      });
      assert.deepEqual([task.status, task.attempt], ["succeeded", 3], JSON.stringify(task.error));
      const { delivered } = task.result as Result;
      assert.deepEqual(delivered.map(({ channel }) => channel), ["slack", "teams", "email"]);
      const count = (path: string) => heard.filter((each) => each.path === path).length;
      assert.deepEqual([count("/canary"), count("/flaky")], [1, 3]);
      const outbox = [...Deno.readDirSync(`${service.dataDir}/outbox`)].map(({ name }) => name);
      assert.deepEqual(outbox, [`${task.id}-2.eml`]);
      assert.doesNotMatch(JSON.stringify([task, await service.logs(task.id)]), /canary/);
    },
  );
});

Deno.test("a mail server that is not public has to be admitted, and the failure says so", async () => {
  await using mail = await MailServer.start();
  await using service = await Service.start({
    SMTP_URL: `smtp://127.0.0.1:${mail.port}?ignoreTLS=true`,
    EGRESS_ALLOW: "",
  });
  const { error } = await service.run("send-notification", {
    ...message,
    to: [{ email: "ada@example.com" }],
  });
  assert.equal(error?.code, "egress_blocked");
  assert.match(error.message, /EGRESS_ALLOW/);
  assert.equal(mail.connections, 0);
});
