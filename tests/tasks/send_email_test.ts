import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import PostalMime, { decodeWords } from "postal-mime";
import definition from "../../tasks/send_email.ts";
import type { Received } from "./mail_server.ts";
import { withServer, withWorker } from "./sending.ts";

const parse = (mail: Received | undefined) => PostalMime.parse(Buffer.from(mail?.raw ?? "", "latin1"));
const base64 = (text: string) => Buffer.from(text).toString("base64");

Deno.test("a mail arrives as it was written, to everyone it names", async () => {
  await withServer({}, async (send, { mails }) => {
    const { context, ...result } = await send({
      to: ["Ada <ada@example.com>", { name: "Lovelace, Ada", address: "lovelace@example.com" }],
      cc: '"Grace \\"G\\" Hopper" <grace@example.com>',
      bcc: { address: "secret@example.com" },
      replyTo: "answers@example.org",
      subject: "Grüße 😀",
      text: "Hello\n.\nworld é",
      html: "<p>Hello</p>",
      headers: { "X-Campaign": "spring", "List-Id": "Wörter <list.example.org>" },
      attachments: [
        { filename: "data é.csv", content: base64("a,b\n1,2\n") },
        { filename: "raw", contentType: "application/x-thing", content: base64("\0\r\n.\r\n\xff") },
      ],
    });
    const everyone = ["ada@example.com", "lovelace@example.com", "grace@example.com", "secret@example.com"];
    assert.deepEqual(result, { messageId: `<${context.id}@example.org>`, accepted: everyone, rejected: [] });
    assert.equal(mails.length, 1);
    assert.deepEqual(mails[0]?.to, everyone);
    assert.equal(mails[0]?.from, "errand@example.org");
    const mail = await parse(mails[0]);
    assert.deepEqual(mail.to, [
      { name: "Ada", address: "ada@example.com" },
      { name: "Lovelace, Ada", address: "lovelace@example.com" },
    ]);
    assert.deepEqual(mail.cc, [{ name: 'Grace "G" Hopper', address: "grace@example.com" }]);
    assert.deepEqual(mail.from, { name: "Errand", address: "errand@example.org" });
    assert.equal(mail.replyTo?.[0]?.address, "answers@example.org");
    assert.doesNotMatch(mails[0]!.raw, /secret/);
    assert.equal(mail.subject, "Grüße 😀");
    assert.equal(mail.messageId, result.messageId);
    assert.equal(mail.text?.trimEnd(), "Hello\n.\nworld é");
    assert.equal(mail.html?.trimEnd(), "<p>Hello</p>");
    const header = (key: string) => mail.headers.find((each) => each.key === key)?.value;
    assert.equal(header("x-campaign"), "spring");
    assert.equal(decodeWords(header("list-id") ?? ""), "Wörter <list.example.org>");
    const files = mail.attachments.map(({ filename, mimeType, content }) => [
      filename,
      mimeType,
      Buffer.from(content as ArrayBuffer).toString("base64"),
    ]);
    assert.deepEqual(files, [
      ["data é.csv", "text/csv", base64("a,b\n1,2\n")],
      ["raw", "application/x-thing", base64("\0\r\n.\r\n\xff")],
    ]);
  });
});

Deno.test("a mail may go to blind copies alone, from another sender, in HTML alone", async () => {
  await withServer({}, async (send, { mails }) => {
    await send({
      to: undefined,
      bcc: ["b@example.com"],
      from: "me@example.net",
      text: undefined,
      html: "<b>x</b>",
    });
    assert.deepEqual(mails.map(({ from, to }) => ({ from, to })), [{
      from: "me@example.net",
      to: ["b@example.com"],
    }]);
    assert.doesNotMatch(mails[0]!.raw, /b@example\.com/);
  });
});

Deno.test("every attempt of a task has the same Message-ID", async () => {
  await withServer({}, async (send) => {
    const id = crypto.randomUUID();
    const [first, second] = [await send({}, { id, attempt: 1 }), await send({}, { id, attempt: 2 })];
    assert.equal(first.messageId, second.messageId);
  });
});

Deno.test("a domain with umlauts is written in ASCII", async () => {
  await withServer({}, async (send, { mails }) => {
    const { accepted } = await send({ to: "ada@Bücher.example" });
    assert.deepEqual(accepted, ["ada@xn--bcher-kva.example"]);
    assert.match(mails[0]!.raw, /^To: ada@xn--bcher-kva\.example\r$/m);
  });
});

Deno.test("a task that was aborted before it began sends nothing", async () => {
  await withServer({}, async (send, server) => {
    const reason = new DOMException("shutdown", "AbortError");
    await assert.rejects(send({}, { signal: AbortSignal.abort(reason) }), (error) => error === reason);
    assert.equal(server.connections, 0);
  });
});

Deno.test("without SMTP_URL a mail becomes a file, and log and result say so", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await withWorker({ DATA_DIR: folder }, async (send) => {
      const { context, ...result } = await send({ to: ["Ada <ada@example.com>"], bcc: "b@example.com" });
      const outbox = `${context.id}.eml`;
      const accepted = ["ada@example.com", "b@example.com"];
      assert.deepEqual(result, { messageId: `<${context.id}@localhost>`, accepted, rejected: [], outbox });
      assert.match(context.logged[0]!, /^info: SMTP_URL is not set: nothing was sent/);
      assert.deepEqual([...Deno.readDirSync(`${folder}/outbox`)].map(({ name }) => name), [outbox]);
      const mail = await PostalMime.parse(await Deno.readFile(`${folder}/outbox/${outbox}`));
      assert.deepEqual(mail.to, [{ name: "Ada", address: "ada@example.com" }]);
      assert.deepEqual(mail.bcc, [{ name: "", address: "b@example.com" }]);
      assert.deepEqual(mail.from, { name: "", address: "errand@localhost" });
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const permissions = definition.permissions as (context: { env: Record<string, string> }) => unknown;
const smtpEnv = ["SMTP_URL", "MAIL_FROM"];
for (
  const [url, net] of [
    ["smtp://mail.example.com", "mail.example.com:587"],
    ["smtps://u:p@mail.example.com", "mail.example.com:465"],
    ["smtp://mail.example.com:2525?requireTLS=true", "mail.example.com:2525"],
    ["smtp://[::1]:25", "[::1]:25"],
  ] as const
) {
  Deno.test(`with ${url} the runner may reach ${net} and nothing else`, () => {
    assert.deepEqual(permissions({ env: { SMTP_URL: url, DATA_DIR: "/data" } }), {
      net: [net],
      env: smtpEnv,
    });
  });
}

Deno.test("without SMTP_URL the runner may use the outbox and nothing else", () => {
  assert.deepEqual(permissions({ env: { DATA_DIR: "/data" } }), {
    read: ["/data/outbox"],
    write: ["/data/outbox"],
    env: [...smtpEnv, "DATA_DIR"],
  });
});

for (
  const url of ["http://u:hunter2@x", "hunter2", "smtp://u:hunter2@x?rejectUnauthorised=false", "smtp:///"]
) {
  Deno.test(`SMTP_URL ${url} is refused without being shown`, () => {
    assert.throws(() => permissions({ env: { SMTP_URL: url } }), (error: Error) => {
      assert.match(error.message, /^SMTP_URL/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });
}

Deno.test("a MAIL_FROM that is no mailbox is refused before the first mail", async () => {
  await assert.rejects(
    withWorker({ MAIL_FROM: "a@b.c, d@e.f", DATA_DIR: "/nowhere" }, async () => {}),
    /^TypeError: MAIL_FROM must be/,
  );
});

Deno.test("the module does not load nodemailer until a worker sets it up", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL("../../tasks/send_email.ts", import.meta.url).href],
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    modules: { dependencies?: { specifier: string; code?: unknown; isDynamic?: boolean }[] }[];
  };
  const uses = modules.flatMap(({ dependencies = [] }) => dependencies)
    .filter(({ specifier, code }) => specifier === "nodemailer" && code);
  assert.ok(uses.length > 0 && uses.every(({ isDynamic }) => isDynamic), JSON.stringify(uses));
});
