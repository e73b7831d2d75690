import { z } from "zod";

/** `to`, `cc` and `bcc` together. */
const RECIPIENTS_MAX = 100;
const TEXT_MAX = 1_000_000;
/** Characters of base64, of all attachments together: about 7.5 MB of files. */
const ATTACHED_MAX = 10_000_000;

/** One mailbox, as it stands in a header: the name may be empty, the address is ASCII. */
export interface Mailbox {
  name: string;
  address: string;
}

/** Text that fits in one header line: whatever it holds, it cannot begin another one. */
const LINE = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}]*$/u;
const NO_LINE = "must be one line of text, without control characters";
/** `=?utf-8?q?a=0D=0Ab?=` would be passed on as it is, and be a line break to whoever decodes it. */
const ENCODED_WORD = /=\?[^?]*\?[bq]\?/i;
const NO_TEXT = "must be text as it is to be read: =?…?= is written by Errand, where it is needed";
/** They show what follows backwards: `moc.elpmaxe` would be read as another name than the one that was sent. */
const BIDI = /[\u202a-\u202e\u2066-\u2069]/;
const NO_BIDI = "must not hold characters that override the direction of text";
export const line = (max: number) =>
  z.string().max(max).regex(LINE, NO_LINE).refine((text) => !ENCODED_WORD.test(text), NO_TEXT);

const LOCAL = /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*$/;
/** Letters, digits, hyphens; the last label is not a number, as that would be an IP address. */
const DOMAIN =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
/** `Ada <ada@example.com>`, `"Lovelace, Ada" <ada@example.com>`. */
const NAMED = /^(?:"((?:[^"\\]|\\.)*)"\s*|([^"<>()[\]:;,@\\]*))<([^<>]*)>$/u;

/**
 * The mailbox that was meant, its domain in ASCII, or what is wrong with it, in words. Never more than one: a list, a
 * group, a comment or a quoted local part is refused rather than understood.
 */
function readMailbox(given: string | { name?: string | undefined; address: string }): Mailbox | string {
  const whole = typeof given === "string" ? given : `${given.name ?? ""}${given.address}`;
  if (!LINE.test(whole)) return NO_LINE;
  if (ENCODED_WORD.test(whole)) return NO_TEXT;
  if (typeof given !== "string") return withAddress(given.name?.trim() ?? "", given.address);
  const [, quoted, plain, address] = NAMED.exec(given.trim()) ?? [];
  const name = quoted?.replace(/\\(.)/gu, "$1") ?? plain ?? "";
  return withAddress(name.trim(), address ?? given.trim());
}

function withAddress(name: string, text: string): Mailbox | string {
  if (BIDI.test(name)) return NO_BIDI;
  const at = text.lastIndexOf("@");
  const local = text.slice(0, Math.max(at, 0));
  const domain = asciiDomain(text.slice(at + 1));
  if (LOCAL.test(local) && local.length <= 64 && domain !== undefined && local.length + domain.length < 254) {
    return { name, address: `${local}@${domain}` };
  }
  return /^[^\s@,;<>]*\P{ASCII}[^\s@,;<>]*$/u.test(local)
    ? "must be ASCII before the @: addresses that need SMTPUTF8 are not supported"
    : 'must be one mailbox, such as "ada@example.com" or "Ada <ada@example.com>"';
}

/** `bücher.example` is `xn--bcher-kva.example`: only the name in ASCII is understood by every mail server. */
function asciiDomain(domain: string): string | undefined {
  if (!/^[\p{L}\p{M}\p{N}.-]{1,253}$/u.test(domain)) return undefined;
  const ascii = URL.parse(`http://${domain}`)?.hostname ?? "";
  return DOMAIN.test(ascii) ? ascii : undefined;
}

const given = z.union([
  z.string().max(1_000),
  z.strictObject({ name: z.string().max(320).optional(), address: z.string().max(320) }),
], { error: 'must be a string such as "Ada <ada@example.com>", or {name, address}' });

/** One mailbox. What comes out may go in again. */
export const mailbox = given.transform((value, context): Mailbox => {
  const read = readMailbox(value);
  if (typeof read !== "string") return read;
  context.addIssue({ code: "custom", message: read });
  return z.NEVER;
});

export const mailboxes = z.union([given, z.array(given)], {
  error: 'must be a string such as "Ada <ada@example.com>", {name, address}, or a list of them',
}).transform((value, context): Mailbox[] => {
  const list = Array.isArray(value) ? value : [value];
  if (list.length > RECIPIENTS_MAX) {
    context.addIssue({ code: "custom", message: `must be ${RECIPIENTS_MAX} mailboxes at most` });
    return z.NEVER;
  }
  return list.map((each, index) => {
    const read = readMailbox(each);
    if (typeof read !== "string") return read;
    context.addIssue({ code: "custom", message: read, path: Array.isArray(value) ? [index] : [] });
    return z.NEVER;
  });
});

/** Headers that say who wrote to whom, what the mail consists of, or which way it came: written by Errand or by servers. */
const RESERVED =
  /^(?:from|sender|reply-to|to|cc|bcc|subject|date|message-id|mime-version|content-.*|dkim-.*|domainkey-.*|arc-.*|authentication-results|received.*|return-path|delivered-to|resent-.*|bimi-.*)$/i;

const headerName = z.string().max(76)
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "must be the name of a header")
  .refine((name) => !RESERVED.test(name), "is written by Errand and cannot be given");

/** Names of headers are the same in either case: which one a mail program goes by would be chance. */
function distinct(headers: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(headers);
  return new Set(names.map((name) => name.toLowerCase())).size === names.length;
}

const attachment = z.strictObject({
  filename: line(255)
    .regex(/^[^/\\]+$/, "must be a file name without a path")
    .refine((name) => !/^\.{0,2}$/.test(name.trim()), "must be the name of a file"),
  /** `multipart/…` would make the attachment a part of the mail's own structure. */
  contentType: z.string().max(127)
    .regex(/^(?!multipart\/)[\w.+-]+\/[\w.+-]+(?:; ?charset=[\w.-]+)?$/i, "must be a type such as text/csv")
    .optional(),
  /** In base64. */
  content: z.base64(),
});

/** A mail, with everything that could make it another mail than the one described refused. */
export const mail = z.strictObject({
  to: mailboxes.optional(),
  cc: mailboxes.optional(),
  bcc: mailboxes.optional(),
  from: mailbox.optional(),
  replyTo: mailboxes.optional(),
  subject: line(998).trim(),
  text: z.string().max(TEXT_MAX).optional(),
  html: z.string().max(TEXT_MAX).optional(),
  headers: z.record(headerName, line(900).trim().min(1)).default({})
    .refine((headers) => Object.keys(headers).length <= 50, "must be 50 headers at most")
    .refine(distinct, "must not have names that differ in upper and lower case only"),
  attachments: z.array(attachment).max(50).default([]),
}).superRefine(({ to, cc, bcc, text, html, attachments }, { addIssue }) => {
  const issue = (path: string, message: string) => addIssue({ code: "custom", path: [path], message });
  let recipients = 0;
  for (const [field, list] of Object.entries({ to, cc, bcc })) {
    const before = recipients;
    recipients += list?.length ?? 0;
    if (before <= RECIPIENTS_MAX && recipients > RECIPIENTS_MAX) {
      issue(field, `must be ${RECIPIENTS_MAX} recipients at most, in to, cc and bcc together`);
    }
  }
  if (recipients === 0) issue("to", "must name a recipient, where cc and bcc name none");
  if (!text && !html) issue("text", "must be given, where html is not");
  const attached = attachments.reduce((sum, { content }) => sum + content.length, 0);
  if (attached > ATTACHED_MAX) {
    issue("attachments", `must be ${ATTACHED_MAX} characters of base64 at most, all together`);
  }
});

export type Mail = z.output<typeof mail>;
