import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import PostalMime from "postal-mime";
import definition from "../../tasks/send_bulk_email.ts";
import { upload } from "../files.ts";
import { Service, until } from "../service.ts";
import {
  addresses,
  failureOf,
  received,
  recipients,
  withScript,
  withServer,
  withWorker,
} from "./bulk/mailing.ts";
import { Memory } from "./context.ts";
import { MailServer, type Received } from "./mail_server.ts";

const parse = ({ raw }: Received) => PostalMime.parse(Buffer.from(raw, "latin1"));
const refusal = (code: number, text: string) => Object.assign(new Error(text), { responseCode: code });

Deno.test("everybody gets a mail of their own, and sees nobody else", async () => {
  await withServer({}, async (attempt, server) => {
    const id = crypto.randomUUID();
    const { context, ...result } = await attempt({
      from: "Shop <shop@example.net>",
      replyTo: "help@example.net",
      subject: "{{name|You}}: order {{order}} 😀",
      text: "Hello {{name|there}}, é",
      html: '<p title="{{name|}}">{{name|there}} {{address}}</p>',
      headers: { "List-Unsubscribe": "<https://example.net/stop>" },
      recipients: [
        { address: "ada@example.com", name: "Ada <b>&", data: { order: 7 } },
        { address: "bob@example.com", data: { order: "x" } },
      ],
    }, { id });
    assert.deepEqual(result, {
      sent: 2,
      rejected: [],
      rejectedCount: 0,
      repeated: [],
      unknown: [],
      skipped: [],
      skippedCount: 0,
    });
    assert.deepEqual(server.mails.map(({ from, to }) => [from, ...to]).sort(), [
      ["shop@example.net", "ada@example.com"],
      ["shop@example.net", "bob@example.com"],
    ]);
    const mails = await Promise.all(server.mails.map(parse));
    const [ada, bob] = mails.sort((a, b) => a.messageId! < b.messageId! ? -1 : 1);
    assert.deepEqual([ada!.subject, bob!.subject], ["Ada <b>&: order 7 😀", "You: order x 😀"]);
    assert.deepEqual([ada!.text?.trim(), bob!.text?.trim()], ["Hello Ada <b>&, é", "Hello there, é"]);
    assert.equal(ada!.html?.trim(), '<p title="Ada &lt;b&gt;&amp;">Ada &lt;b&gt;&amp; ada@example.com</p>');
    assert.deepEqual(ada!.to, [{ name: "Ada <b>&", address: "ada@example.com" }]);
    assert.deepEqual([ada!.messageId, bob!.messageId], [`<${id}-0@example.net>`, `<${id}-1@example.net>`]);
    assert.equal(
      ada!.headers.find(({ key }) => key === "list-unsubscribe")?.value,
      "<https://example.net/stop>",
    );
    assert.deepEqual(context.progressed.at(-1), { current: 2, total: 2, message: "2 sent, 0 rejected" });
  });
});

for (
  const [what, input, pointer] of [
    ["recipients, or a file", {}, "recipients"],
    ["not both", { file: crypto.randomUUID(), recipients: recipients(1) }, "recipients"],
    ["a text or HTML", { text: undefined, recipients: recipients(1) }, "text"],
    ["what fills its places", {
      text: "{{name}}",
      recipients: [...recipients(1), { address: "b@x.de", name: "" }],
    }, "recipients/0/name"],
    ["what fills those of HTML", { html: "{{city}}", recipients: recipients(1) }, "recipients/0/data"],
    ["one address each", { recipients: [{ address: "a@x.de, b@x.de" }] }, "recipients/0/address"],
    [
      "names in one line",
      { recipients: [{ address: "a@x.de", name: "A\r\nBcc: b@x.de" }] },
      "recipients/0/address",
    ],
    [
      "a subject in one line",
      { subject: "{{x}}", recipients: [{ address: "a@x.de", data: { x: "a\r\nBcc: b@x.de" } }] },
      "recipients/0/data",
    ],
    ["whole places", { subject: "{{name", recipients: recipients(1) }, "subject"],
  ] as const
) {
  Deno.test(`the input must have ${what}`, () => {
    const { error } = definition.input.safeParse({ subject: "Hello", text: "Hi", ...input });
    assert.equal(error?.issues[0]?.path.join("/"), pointer, JSON.stringify(error?.issues));
  });
}

Deno.test("who is refused is named, and the others get their mail", async () => {
  await withServer({
    onRcptTo: ({ address }, _, done) =>
      done(/^a[35]@/.test(address) ? refusal(550, `No ${address} here`) : null),
  }, async (attempt, server) => {
    const { sent, rejected, rejectedCount, context } = await attempt({ recipients: recipients(8) });
    assert.deepEqual([sent, rejectedCount, server.mails.length], [6, 2, 6]);
    assert.deepEqual(rejected.sort((a, b) => a.address < b.address ? -1 : 1), [
      { address: "a3@example.com", smtpCode: 550, message: "550 No a3@example.com here" },
      { address: "a5@example.com", smtpCode: 550, message: "550 No a5@example.com here" },
    ]);
    assert.equal(context.logged.filter((line) => line.includes("was rejected")).length, 2);
  });
});

Deno.test("who is put off is tried by the next attempts, three times in all, and nobody else is", async () => {
  await withServer({
    onRcptTo: ({ address }, _, done) => done(/^a3@/.test(address) ? refusal(450, "Later") : null),
  }, async (attempt, server) => {
    const id = crypto.randomUUID();
    let checkpoint = new Memory();
    for (let i = 0; i < 2; i++, checkpoint = checkpoint.next()) {
      const failure = await failureOf(attempt({ recipients: recipients(5) }, { id, checkpoint }));
      assert.deepEqual([failure.code, failure.retryable], ["partial_failure", true]);
      assert.deepEqual(failure.details, { succeeded: 4, failed: 1 });
    }
    const { sent, rejected } = await attempt({ recipients: recipients(5) }, { id, checkpoint });
    assert.deepEqual([sent, rejected], [4, [{
      address: "a3@example.com",
      smtpCode: 450,
      message: "450 Later",
    }]]);
    assert.equal(server.mails.length, 4);
  });
});

Deno.test("a server that refuses everybody is left alone, and the task fails", async () => {
  let asked = 0;
  await withServer({ onRcptTo: (_, _s, done) => done(refusal(554, `Spam ${++asked}`)) }, async (attempt) => {
    const few = await failureOf(attempt({ recipients: recipients(3) }));
    assert.deepEqual([few.code, few.retryable, few.message], [
      "smtp_rejected",
      false,
      "The mail server refused all 3 mails.",
    ]);
    asked = 0;
    const many = await failureOf(attempt({ recipients: recipients(1_000) }));
    assert.deepEqual([many.code, many.retryable], ["smtp_rejected", false]);
    assert.ok(asked < 120, `${asked}`);
  });
});

Deno.test("a mail that was handed over and not answered for is not sent again, and its recipient is named", async () => {
  await withScript({ message: null }, async (attempt, server) => {
    const checkpoint = new Memory();
    const { sent, unknown } = await attempt({ recipients: recipients(1) }, { checkpoint });
    assert.deepEqual([sent, unknown], [0, ["a0@example.com"]]);
    const again = await attempt({ recipients: recipients(1) }, { checkpoint: checkpoint.next() });
    assert.deepEqual([again.unknown, server.messages], [["a0@example.com"], 1]);
    const many = new Memory();
    const failure = await failureOf(attempt({ recipients: recipients(100) }, { checkpoint: many }));
    assert.deepEqual([failure.code, failure.retryable], ["smtp_unavailable", true]);
    assert.ok(server.messages < 40, `${server.messages}`);
  });
});

Deno.test("a server that is gone is waited for: the next attempt goes on", async () => {
  const id = crypto.randomUUID();
  const checkpoint = new Memory();
  const gone = await MailServer.start();
  const { port } = gone;
  await gone[Symbol.asyncDispose]();
  await withWorker({ SMTP_URL: `smtp://127.0.0.1:${port}` }, async (attempt) => {
    const failure = await failureOf(attempt({ recipients: recipients(30) }, { id, checkpoint }));
    assert.deepEqual([failure.code, failure.retryable], ["smtp_unavailable", true]);
  });
  await withServer({}, async (attempt, server) => {
    const { sent, repeated } = await attempt({ recipients: recipients(30) }, {
      id,
      checkpoint: checkpoint.next(),
    });
    assert.deepEqual([sent, repeated, server.mails.length], [30, [], 30]);
  });
});

Deno.test("a task that is stopped lets arrive what is on its way; whoever goes on sends the rest", async () => {
  const id = crypto.randomUUID();
  const controller = new AbortController();
  const reason = new DOMException("shutdown", "AbortError");
  let arrived = 0;
  await withServer({
    onData: (_, _s, done) => {
      if (++arrived === 20) controller.abort(reason);
      done();
    },
  }, async (attempt, server) => {
    const checkpoint = new Memory();
    const stopped = attempt({ recipients: recipients(100) }, { id, checkpoint, signal: controller.signal });
    await assert.rejects(stopped, (error) => error === reason);
    assert.ok(server.mails.length < 50);
    const { sent, repeated, context } = await attempt({ recipients: recipients(100) }, {
      id,
      checkpoint: checkpoint.next(),
    });
    assert.deepEqual([sent, repeated], [100, []]);
    assert.match(context.logged[0]!, /An earlier attempt has come as far as \d+ of 100/);
    assert.deepEqual([...received(server).values()], Array(100).fill(1));
  });
});
Deno.test("no more mails leave in a second than are wanted", async () => {
  await withServer({}, async (attempt) => {
    const began = performance.now();
    await attempt({ recipients: recipients(21), perSecond: 100 });
    // The first leaves at once, the others 10 ms apart; timers may be early by less than one.
    assert.ok(performance.now() - began > 180, `${performance.now() - began}`);
  });
});

Deno.test("without SMTP_URL mails become files, and log and result say so", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await withWorker({ DATA_DIR: folder }, async (attempt) => {
      const id = crypto.randomUUID();
      const { sent, outbox, context } = await attempt({ recipients: recipients(3) }, { id });
      assert.deepEqual([sent, outbox], [3, true]);
      assert.match(context.logged.at(-1)!, /SMTP_URL is not set: nothing was sent/);
      const names = [...Deno.readDirSync(`${folder}/outbox`)].map(({ name }) => name).sort();
      assert.deepEqual(names, [0, 1, 2].map((place) => `${id}-${place}.eml`));
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const subject = "Hello {{name}}";

Deno.test("recipients come from a CSV file, and rows that cannot be written to are named", async (t) => {
  await using mail = await MailServer.start({ disabledCommands: ["STARTTLS"] });
  await using service = await Service.start({ SMTP_URL: `smtp://127.0.0.1:${mail.port}` });
  const send = async (csv: string) => {
    const { id } = await upload(service, csv, { "content-type": "text/csv" });
    return await service.run("send-bulk-email", { file: id, subject, text: "{{order no}}" });
  };
  await t.step("with a byte order mark, in any order of columns", async () => {
    const { result, error } = await send(
      "\ufefforder no;name;address\r\n" +
        '7;"Ada";ada@example.com\r\n8;;bob@example.com\r\n9;Cy;cy@\r\n;Di;di@example.com\r\n1;A;ADA@example.com\r\n5\r\n',
    );
    assert.equal(error, undefined);
    assert.deepEqual(result, {
      sent: 1,
      rejected: [],
      rejectedCount: 0,
      repeated: [],
      unknown: [],
      skipped: [
        { row: 2, message: "name must have a value for {{name}}" },
        {
          row: 3,
          message: 'address must be one mailbox, such as "ada@example.com" or "Ada <ada@example.com>"',
        },
        { row: 4, message: "data must have a value for {{order no}}" },
        { row: 5, message: "has the address of row 1" },
        { row: 6, message: "has 1 cells, and not 3" },
      ],
      skippedCount: 5,
    });
    assert.equal((await parse(mail.mails[0]!)).subject, "Hello Ada");
  });
  await t.step(
    "a file without addresses, or with too many, or with none that will do, is refused",
    async () => {
      const many = "address,name\n" + "a@example.com,A\n".repeat(100_001);
      for (
        const [csv, why] of [
          ["mail,name\na@example.com,A\n", /no column `address`/],
          ["address,name\n", /nobody to write to\.$/],
          ["address,name,order no\na@example.com,,1\n", /nobody to write to: row 1 name must have a value/],
          [many, /more than 100000 recipients/],
        ] as const
      ) {
        const { error } = await send(csv);
        assert.equal(error?.code, "invalid_input");
        assert.match(error.message, why);
      }
      assert.equal(mail.mails.length, 1);
    },
  );
});

Deno.test("after a crash it goes on where it was: nobody gets two but who was being sent it, and is named", async () => {
  await using mail = await MailServer.start({ disabledCommands: ["STARTTLS"] });
  await using service = await Service.start({ SMTP_URL: `smtp://127.0.0.1:${mail.port}` });
  const count = 2_000;
  const { id: file } = await upload(
    service,
    `address,name\n${addresses(count).map((each) => `${each},A`).join("\n")}`,
  );
  const id = await service.submit("send-bulk-email", { file, subject, text: "x" });
  for (const enough of [300, 1_000]) {
    await until("mails", () => mail.mails.length >= enough);
    for (const pid of service.runners()) Deno.kill(pid, "SIGKILL");
  }
  const { result, error, attempt } = await service.final(id);
  assert.equal(error, undefined, JSON.stringify(error));
  assert.equal(attempt, 3);
  const { sent, repeated, unknown } = result as { sent: number; repeated: string[]; unknown: string[] };
  const counts = received(mail);
  assert.deepEqual([...counts.keys()].sort(), addresses(count).sort());
  assert.ok(Math.max(...counts.values()) <= 2);
  const twice = [...counts].filter(([, times]) => times > 1).map(([address]) => address);
  assert.ok(twice.every((address) => repeated.includes(address)), `${twice} ${repeated}`);
  assert.ok(repeated.length <= 20, `${repeated}`);
  assert.equal(sent + unknown.length, count);
  const logs = await service.logs(id);
  for (const address of repeated) {
    assert.ok(logs.some(({ message }) => message.startsWith(`${address} is sent the mail again`)), address);
  }
  // Whoever has two has twice the same.
  for (const address of twice) {
    const both = mail.mails.filter(({ to }) => to.includes(address));
    const ids = await Promise.all(both.map(async (each) => (await parse(each)).messageId));
    assert.equal(new Set(ids).size, 1);
  }
});

const permissions = definition.permissions as (context: { env: Record<string, string> }) => unknown;
Deno.test("the runner may reach the mail server and nothing else", () => {
  assert.deepEqual(permissions({ env: { SMTP_URL: "smtp://u:p@mail.example.com", DATA_DIR: "/data" } }), {
    net: ["mail.example.com:587"],
    env: ["SMTP_URL", "MAIL_FROM"],
  });
});
