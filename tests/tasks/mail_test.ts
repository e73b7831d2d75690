import assert from "node:assert/strict";
import definition from "../../tasks/send_email.ts";
import type { Mail } from "../../tasks/lib/mail.ts";

const plain = { to: "ada@example.com", subject: "Hello", text: "Hi" };
const pathsOf = (mail: unknown) =>
  definition.input.safeParse(mail).error?.issues.map(({ path }) => path.join("."));

const many = (count: number) => Array.from({ length: count }, (_, n) => `a${n}@example.com`);
const file = (content: Record<string, unknown>) => ({ filename: "a.txt", content: "aGk=", ...content });

const breaks = {
  CR: "\r",
  LF: "\n",
  CRLF: "\r\n",
  NUL: "\0",
  "U+2028": "\u2028",
  "U+2029": "\u2029",
  NEL: "\x85",
};
for (const [name, mark] of Object.entries(breaks)) {
  const evil = `x${mark}Bcc: eve@example.com`;
  for (
    const [path, mail] of [
      ["subject", { subject: evil }],
      ["to", { to: `a@example.com${mark}` }],
      ["to.1", { to: ["a@example.com", `Ada${mark} <b@example.com>`] }],
      ["to", { to: { name: evil, address: "a@example.com" } }],
      ["to", { to: { name: "Ada", address: `a@example.com>${mark}` } }],
      ["cc.0", { cc: [`"${evil}" <a@example.com>`] }],
      ["bcc", { bcc: `${mark}a@example.com` }],
      ["from", { from: `Ada ${evil} <a@example.com>` }],
      ["replyTo", { replyTo: `${evil}@example.com` }],
      ["headers.X-A", { headers: { "X-A": evil } }],
      ["headers.X-A", { headers: { "X-A": `x${mark}` } }],
      [`headers.X-A${mark}`, { headers: { [`X-A${mark}`]: "x" } }],
      ["attachments.0.filename", { attachments: [file({ filename: evil })] }],
      ["attachments.1.contentType", { attachments: [file({}), file({ contentType: `text/${evil}` })] }],
      ["attachments.0.content", { attachments: [file({ content: `aGk=${mark}` })] }],
    ] as const
  ) {
    Deno.test(`${name} is refused in ${path.replace(/[^\w.-]/g, "…")}: ${Object.keys(mail)[0]}, ${JSON.stringify(mail).length}`, () => {
      assert.deepEqual(pathsOf({ ...plain, ...mail }), [path]);
    });
  }
}

const refused: [why: string, path: string, mail: Record<string, unknown>][] = [
  ["a list in one string", "to", { to: "a@example.com, b@example.com" }],
  ["a list in one string of a list", "to.0", { to: ["a@example.com,b@example.com"] }],
  ["a list in an address", "to", { to: { address: "a@example.com,b@example.com" } }],
  ["a list with semicolons", "to", { to: "a@example.com; b@example.com" }],
  ["a list of named mailboxes", "to", { to: "Ada <a@example.com>, Bob <b@example.com>" }],
  ["an unquoted comma in a name", "to", { to: "Lovelace, Ada <a@example.com>" }],
  ["a group", "to", { to: "friends: a@example.com, b@example.com;" }],
  ["an empty group", "cc", { cc: "undisclosed-recipients:;" }],
  ["two addresses after a name", "to", { to: "Ada <a@example.com> <b@example.com>" }],
  ["an address in angle brackets in an address", "to", { to: { address: "Ada <a@example.com>" } }],
  ["a second @", "to", { to: "a@evil.com@example.com" }],
  ["a quoted local part", "to", { to: '"a b"@example.com' }],
  ["a comment", "to", { to: "a(comment)@example.com" }],
  ["a route", "to", { to: "<@evil.com:a@example.com>" }],
  ["SMTP parameters", "to", { to: { address: "a@example.com> NOTIFY=SUCCESS" } }],
  ["an IP address", "to", { to: "a@[127.0.0.1]" }],
  ["a bare IP address", "to", { to: "a@127.0.0.1" }],
  ["a number as a domain", "to", { to: "a@2130706433" }],
  ["wide digits as a domain", "to", { to: "a@１２７.0.0.1" }],
  ["an address without a domain", "to", { to: "root" }],
  ["an address without a local part", "to", { to: "@example.com" }],
  ["an empty label", "to", { to: "a@example..com" }],
  ["a path after the domain", "to", { to: "a@example.com/x" }],
  ["an invisible character in the domain", "to", { to: "a@exam\u200bple.com" }],
  ["a local part that needs SMTPUTF8", "to", { to: "ädä@example.com" }],
  ["a local part of 65 characters", "to", { to: `${"a".repeat(65)}@example.com` }],
  ["half a surrogate in a name", "to", { to: { name: "\ud83d", address: "a@example.com" } }],
  ["half a surrogate in the subject", "subject", { subject: "\ud83d" }],
  ["an empty list and nobody else", "to", { to: [] }],
  ["nobody at all", "to", { to: undefined }],
  ["something that is no mailbox", "to", { to: 7 }],
  ["an unknown key in a mailbox", "to", { to: { address: "a@example.com", group: ["b@example.com"] } }],
  ["101 recipients", "to", { to: many(101) }],
  ["10,000 recipients", "bcc", { bcc: many(10_000) }],
  ["101 recipients in three fields", "bcc", { to: many(50), cc: many(50), bcc: many(1) }],
  ["an encoded line break in the subject", "subject", { subject: "=?utf-8?Q?a=0D=0ABcc:_e@evil.test?=" }],
  ["an encoded name", "to", { to: { name: "=?UTF-8?b?DQpYOiB5?=", address: "a@example.com" } }],
  ["an encoded header", "headers.X-A", { headers: { "X-A": "a =?utf-8*en?q?=0A?= b" } }],
  ["several senders", "from", { from: ["a@example.com", "b@example.com"] }],
  ["neither text nor HTML", "text", { text: undefined }],
  ["text that is an instruction to read a file", "text", { text: { path: "/etc/passwd" } }],
  ["HTML that is an instruction to fetch a URL", "html", { html: { href: "http://127.0.0.1/" } }],
  ["an attachment from a path", "attachments.0", { attachments: [{ ...file({}), path: "/etc/passwd" }] }],
  ["a path as a file name", "attachments.0.filename", { attachments: [file({ filename: "../a" })] }],
  ["a Windows path as a file name", "attachments.0.filename", { attachments: [file({ filename: "c:\\a" })] }],
  ["dots as a file name", "attachments.0.filename", { attachments: [file({ filename: ".." })] }],
  ["base64 of a wrong length", "attachments.0.content", { attachments: [file({ content: "aGk" })] }],
  ["base64 for URLs", "attachments.0.content", { attachments: [file({ content: "-_-_" })] }],
  ["a multipart attachment", "attachments.0.contentType", {
    attachments: [file({ contentType: "multipart/mixed" })],
  }],
  ["attachments that are too large", "attachments", {
    attachments: [file({ content: "A".repeat(6_000_000) }), file({ content: "A".repeat(6_000_000) })],
  }],
  ["51 headers", "headers", { headers: Object.fromEntries(many(51).map((_, n) => [`X-${n}`, "x"])) }],
  ["a header twice, in other case", "headers", { headers: { "X-A": "1", "x-a": "2" } }],
  ...["\u202a", "\u202e", "\u2066", "\u2069"].flatMap((mark): [string, string, Record<string, unknown>][] => [
    [`a name turned around by U+${mark.charCodeAt(0).toString(16)}`, "to", {
      to: `A${mark} <a@example.com>`,
    }],
    [`a quoted one, by U+${mark.charCodeAt(0).toString(16)}`, "cc.0", { cc: [`"${mark}A" <a@example.com>`] }],
    [`a given one, by U+${mark.charCodeAt(0).toString(16)}`, "from", {
      from: { name: `A${mark}`, address: "a@example.com" },
    }],
  ]),
  ["an empty header", "headers.X-A", { headers: { "X-A": " " } }],
  ["a nodemailer option", "", { ...plain, envelope: { to: ["eve@example.com"] } }],
  ...["X A", "X:A", "", "Ä", "X\t", "(x)"].map((name): [string, string, Record<string, unknown>] => [
    `the header name ${JSON.stringify(name)}`,
    `headers.${name}`,
    { headers: { [name]: "x" } },
  ]),
  ...[
    ..."From SENDER to Cc bcc Reply-To Subject Date Message-ID MIME-Version Content-Type Content-Transfer-Encoding"
      .split(" "),
    ..."DKIM-Signature Received Return-Path Resent-To ARC-Seal Authentication-Results".split(" "),
  ].map((name): [string, string, Record<string, unknown>] => [
    `the header ${name}`,
    `headers.${name}`,
    { headers: { [name]: "x" } },
  ]),
];
for (const [why, path, mail] of refused) {
  Deno.test(`${why} is refused, naming ${path || "the mail"}`, () => {
    const paths = pathsOf({ ...plain, ...mail });
    assert.ok(paths?.includes(path), JSON.stringify(paths));
  });
}

Deno.test("a hundred recipients are not too many", () => {
  assert.equal(pathsOf({ ...plain, to: many(50), cc: many(25), bcc: many(25) }), undefined);
});

Deno.test("every wrong mailbox of a list is named", () => {
  assert.deepEqual(pathsOf({ ...plain, to: ["a", "b@example.com", "c"] }), ["to.0", "to.2"]);
});

Deno.test("mailboxes are read as people write them", () => {
  const read = (to: unknown) => (definition.input.parse({ ...plain, to }) as Mail).to?.[0];
  const ada = { name: "Ada", address: "ada@example.com" };
  assert.deepEqual(read("Ada <ada@example.com>"), ada);
  assert.deepEqual(read(" Ada<ada@EXAMPLE.com> "), ada);
  assert.deepEqual(read("<ada@example.com>"), { ...ada, name: "" });
  assert.deepEqual(read('"Lovelace, Ada" <ada@example.com>'), { ...ada, name: "Lovelace, Ada" });
  assert.deepEqual(read("J. R. O'Neil <a.b+c@example.com>"), {
    name: "J. R. O'Neil",
    address: "a.b+c@example.com",
  });
  assert.deepEqual(read({ name: "a, b: <c>;", address: "ada@localhost" }), {
    name: "a, b: <c>;",
    address: "ada@localhost",
  });
  assert.deepEqual(read("ada@उदाहरण.परीक्षा"), {
    name: "",
    address: "ada@xn--p1b6ci4b4b3a.xn--11b5bs3a9aj6g",
  });
});
