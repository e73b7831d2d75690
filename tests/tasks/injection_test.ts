import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import PostalMime, { decodeWords } from "postal-mime";
import type { Mail } from "../../tasks/lib/mail.ts";
import definition from "../../tasks/send_email.ts";
import { withServer } from "./sending.ts";

/** The headers of a mail as they stand in it, unfolded, their names in lower case. */
function headersOf(raw: string): [name: string, value: string][] {
  const [head = ""] = raw.split("\r\n\r\n", 1);
  return head.replace(/\r\n(?=[ \t])/g, "").split("\r\n").map((each) => {
    const colon = each.indexOf(":");
    return [each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim()];
  });
}

// What an attacker writes, among what anybody writes.
const piece = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: "grapheme", maxLength: 12 }) },
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.constantFrom(
    ...[
      "\r\n",
      "\n",
      "\r",
      "\0",
      "\u2028",
      ",",
      ";",
      ":",
      "<",
      ">",
      '"',
      "\\",
      "@",
      " ",
      "\t",
      "(",
      ")",
      "[",
      "]",
    ],
    ...[
      "Bcc: eve@evil.test",
      "eve@evil.test",
      "<eve@evil.test>",
      "=?utf-8?Q?a=0D=0ABcc:_eve@evil.test?=",
      "=?",
      "?=",
    ],
    ...["undisclosed:", "RCPT TO:<eve@evil.test>", ".\r\n", "xn--", "ß", "İ", "＠", "，", "%00", "é", "😀"],
  ),
);
const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(""));
const local = fc.stringMatching(/^[a-z0-9!#$%&'*+/=?^_`{|}~-]{1,10}(?:\.[a-z0-9]{1,5})?$/);
const domain = fc.constantFrom(
  "example.com",
  "a-b.example.org",
  "bücher.example",
  "localhost",
  "xn--p1b6ci4b4b3a.test",
);
const address = fc.tuple(local, domain).map((parts) => parts.join("@"));
const hostile = fc.oneof(
  address,
  text,
  fc.record({ name: text, address }),
  fc.record({ name: text, address: text }),
  fc.tuple(text, address).map(([name, address]) => `${name} <${address}>`),
  fc.tuple(text, address).map(([name, address]) => `"${name}" <${address}>`),
  fc.tuple(address, text).map((parts) => parts.join("")),
);
const one = fc.oneof({ weight: 5, arbitrary: address }, { weight: 1, arbitrary: hostile });
const recipients = fc.oneof(one, fc.array(one, { maxLength: 4 }));
const line = fc.oneof({ weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 60 }) }, text);
const mails = fc.record({
  to: recipients,
  cc: recipients,
  bcc: recipients,
  replyTo: one,
  from: one,
  subject: line,
  text: fc.string({ minLength: 1 }),
  html: text,
  headers: fc.dictionary(fc.oneof(fc.stringMatching(/^X-[A-Za-z]{1,8}$/), fc.constant("bcc"), text), line, {
    maxKeys: 2,
  }),
  attachments: fc.array(fc.record({ filename: line, content: fc.base64String() }), { maxLength: 2 }),
}, { requiredKeys: ["to", "subject", "text"] });

/** White space around and between words is not kept by every mail program. */
const words = (text: string) => text.replace(/\s+/g, " ").trim();

Deno.test("whatever strings are given, they are refused, or the server sees these recipients and headers and no others", async () => {
  await withServer({ authOptional: true, disabledCommands: ["STARTTLS"] }, async (send, server) => {
    let sent = 0;
    await fc.assert(
      fc.asyncProperty(mails, async (given) => {
        const parsed = definition.input.safeParse(given);
        if (!parsed.success) return assert.ok(parsed.error.issues.every(({ path }) => path.length > 0));
        assert.deepEqual(definition.input.parse(parsed.data), parsed.data);
        sent++;
        const { to = [], cc = [], bcc = [], replyTo, subject, headers, attachments, from } = parsed
          .data as Mail;
        const count = (value: unknown) => Array.isArray(value) ? value.length : value === undefined ? 0 : 1;
        assert.deepEqual([to, cc, bcc].map(count), [given.to, given.cc, given.bcc].map(count));

        const { accepted, messageId } = await send(given);
        const envelope = [...new Set([...to, ...cc, ...bcc].map(({ address }) => address))];
        assert.deepEqual(accepted, envelope);
        const mail = server.mails.pop()!;
        assert.equal(server.mails.length, 0);
        const ascii = (address: string) =>
          address.replace(/[^@]+$/, (domain) => new URL(`http://${domain}`).hostname);
        assert.deepEqual(mail.to.map(ascii), envelope);

        const own = ["content-type", "date", "from", "message-id", "mime-version"];
        if (subject) own.push("subject");
        if (to.length) own.push("to");
        if (cc.length) own.push("cc");
        if (replyTo?.length) own.push("reply-to");
        const expected = [...own, ...Object.keys(headers).map((name) => name.toLowerCase())];
        const seen = headersOf(mail.raw);
        // There or not, as the body needs it.
        const names = seen.map(([name]) => name).filter((name) => name !== "content-transfer-encoding");
        assert.deepEqual(names.sort(), expected.sort());

        const read = await PostalMime.parse(Buffer.from(mail.raw, "latin1"));
        const flat = (list: Mail["to"] = []) =>
          list.map(({ name, address }) => ({ name: words(name), address }));
        assert.deepEqual(flat(read.to as Mail["to"]), flat(to));
        assert.deepEqual(flat(read.cc as Mail["to"]), flat(cc));
        assert.deepEqual(flat(read.replyTo as Mail["to"]), flat(replyTo));
        if (from) assert.deepEqual(flat([read.from as typeof from]), flat([from]));
        assert.equal(words(read.subject ?? ""), words(subject));
        assert.equal(read.messageId, messageId);
        for (const [name, value] of Object.entries(headers)) {
          const got = seen.filter(([each]) => each === name.toLowerCase()).map(([, value]) =>
            words(decodeWords(value))
          );
          assert.ok(got.includes(words(value)), `${JSON.stringify(got)} ${JSON.stringify(value)}`);
        }
        assert.deepEqual(
          read.attachments.map(({ content }) => Buffer.from(content as ArrayBuffer).toString("base64")),
          attachments.map(({ content }) => Buffer.from(content, "base64").toString("base64")),
        );
      }),
      { numRuns: 1_000 },
    );
    assert.ok(sent > 100, `${sent} of 1,000 were sent`);
  });
});
