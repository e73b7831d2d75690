import { z } from "zod";
import { line, mail, type Mailbox, mailbox } from "../mail.ts";
import { domainOf } from "../post.ts";
import type { Letter } from "../smtp.ts";
import { asHtml, asText, Template, template } from "./template.ts";

/** Of a header line, once its places are filled. */
const subjectLine = line(998);
const { from, replyTo, headers } = mail.shape;
const text = z.string().min(1).max(1_000_000);

/** What all mails have in common. */
export const letter = z.strictObject({
  from,
  replyTo,
  subject: template(line(998).trim()),
  text: template(text).optional(),
  /** What fills a place is escaped. */
  html: template(text).optional(),
  headers,
});
export type Common = z.output<typeof letter>;

const value = z.union([z.string().max(10_000), z.number(), z.boolean()]);
export const recipient = z.strictObject({
  address: z.string().max(320),
  name: z.string().max(320).optional(),
  /** What fills the places, besides `address` and `name`. */
  data: z.record(z.string().max(200), value).default({})
    .refine((data) => Object.keys(data).length <= 100, "must have 100 names at most"),
});

/** Whom a mail goes to, and what fills its places. */
export interface Person {
  readonly address: string;
  readonly name: string;
  readonly values: ReadonlyMap<string, string>;
}

export function personOf({ address, name = "", data }: z.output<typeof recipient>): Person {
  const entries = Object.entries(data).map(([key, value]) => [key, String(value)] as const);
  return { address, name, values: new Map([...entries, ["address", address], ["name", name]]) };
}

/** One mail for each person. */
export class Letters {
  readonly #subject: Template;
  readonly #text: Template | undefined;
  readonly #html: Template | undefined;
  readonly #all: Template[];

  constructor(readonly common: Common) {
    this.#subject = new Template(common.subject, asText);
    this.#text = common.text === undefined ? undefined : new Template(common.text, asText);
    this.#html = common.html === undefined ? undefined : new Template(common.html, asHtml);
    this.#all = [this.#subject, this.#text, this.#html].filter((each) => each !== undefined);
  }

  /** What is wrong with it for this person: which part of the recipient, and why. */
  flaw({ address, name, values }: Person): { path: string; message: string } | undefined {
    const read = mailbox.safeParse({ address, name });
    if (!read.success) return { path: "address", message: read.error.issues[0]!.message };
    const missing = this.#all.map((each) => each.missing(values)).find((name) => name !== undefined);
    if (missing !== undefined) {
      return { path: pathOf(missing), message: `must have a value for {{${missing}}}` };
    }
    const subject = subjectLine.safeParse(this.#subject.render(values));
    if (subject.success) return undefined;
    return {
      path: "data",
      message: `must make a subject that ${subject.error.issues[0]!.message.replace(/^must /, "can ")}`,
    };
  }

  /**
   * For a person without a flaw.
   *
   * @param from where the mails do not say
   * @param id makes the Message-ID: the same in every attempt, so that a mail that came twice is shown once
   */
  write({ address, name, values }: Person, from: Mailbox, id: string): Letter {
    const { subject: _, text: _t, html: _h, headers, ...common } = this.common;
    const to = mailbox.parse({ address, name });
    const sender = common.from ?? from;
    const text = this.#text?.render(values);
    const html = this.#html?.render(values);
    return {
      recipients: [to.address],
      message: {
        ...common,
        from: sender,
        to: [to],
        subject: this.#subject.render(values),
        ...(text !== undefined && { text }),
        ...(html !== undefined && { html }),
        headers: Object.entries(headers).map(([key, value]) => ({ key, value })),
        messageId: `<${id}@${domainOf(sender)}>`,
      },
    };
  }
}

const pathOf = (place: string): string => place === "address" || place === "name" ? place : "data";
