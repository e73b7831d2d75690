import { z } from "zod";
import { type Mail, mail, type Mailbox, mailbox } from "./lib/mail.ts";
import { type Delivery, type Letter, netOf, openSmtp, parseSmtpUrl } from "./lib/smtp.ts";
import { defineTask } from "./mod.ts";

/** Where mails go, and who they are from where they do not say. */
interface Post {
  from: Mailbox;
  deliver(letter: Letter, id: string, signal: AbortSignal): Promise<Delivery & { outbox?: string }>;
}

export default defineTask({
  description: "Sends an e-mail over SMTP_URL; without it, writes the e-mail to DATA_DIR/outbox.",
  input: mail.safeExtend({ failSilently: z.boolean().default(false) }),
  result: z.strictObject({
    messageId: z.string(),
    accepted: z.array(z.string()),
    rejected: z.array(z.strictObject({ address: z.string(), smtpCode: z.int(), message: z.string() })),
    /** The file in `DATA_DIR/outbox`, where nothing was sent. */
    outbox: z.string().optional(),
  }),
  permissions({ env }) {
    if (env.SMTP_URL) return { net: [netOf(parseSmtpUrl(env.SMTP_URL))], env: ["SMTP_URL", "MAIL_FROM"] };
    const outbox = `${env.DATA_DIR}/outbox`;
    return { read: [outbox], write: [outbox], env: ["SMTP_URL", "MAIL_FROM", "DATA_DIR"] };
  },
  concurrency: 32,
  tasksPerWorker: 16,
  timeout: "60s",
  maxAttempts: 5,
  // A mail that may have gone out is not sent again by guess.
  onCrash: "fail",
  async setup({ signal }): Promise<Post> {
    const from = mailbox.safeParse(Deno.env.get("MAIL_FROM") || "errand@localhost");
    if (!from.success) throw new TypeError(`MAIL_FROM ${from.error.issues[0]?.message}`);
    const url = Deno.env.get("SMTP_URL");
    if (!url) return { from: from.data, deliver: await openOutbox(`${Deno.env.get("DATA_DIR")}/outbox`) };
    const smtp = await openSmtp(parseSmtpUrl(url));
    signal.addEventListener("abort", () => smtp.close());
    return { from: from.data, deliver: (letter, _, signal) => smtp.send(letter, signal) };
  },
  async run({ failSilently, ...mail }, { id, signal, log, setup }) {
    signal.throwIfAborted();
    const letter = letterOf(mail, mail.from ?? setup.from, id);
    const { failure, ...delivery } = await setup.deliver(letter, id, signal);
    for (const { address, message } of delivery.rejected) log.warn(`${address} was rejected: ${message}`);
    if (failure && (!failSilently || signal.aborted)) throw failure;
    if (failure) log.warn(`Failed silently: ${failure.message}`);
    if (delivery.outbox) {
      log.info(`SMTP_URL is not set: nothing was sent. Written to outbox/${delivery.outbox}`);
    }
    return { messageId: letter.message.messageId, ...delivery };
  },
});

/** The mail in nodemailer's terms. Mailboxes go in as objects: it would read a string as a list of them. */
function letterOf(
  { to = [], cc = [], bcc = [], headers, attachments, ...rest }: Mail,
  from: Mailbox,
  id: string,
): Letter {
  const message = {
    ...rest,
    from,
    to,
    cc,
    bcc,
    headers: Object.entries(headers).map(([key, value]) => ({ key, value })),
    attachments: attachments.map((each) => ({ ...each, encoding: "base64" })),
    // The same in every attempt, so that a reader's mail program shows a mail that came twice once.
    messageId: `<${id}@${from.address.slice(from.address.lastIndexOf("@") + 1)}>`,
  };
  return { message, recipients: [...new Set([...to, ...cc, ...bcc].map(({ address }) => address))] };
}

/** Mails become files that any mail program opens: the first run works without a mail server. */
async function openOutbox(folder: string): Promise<Post["deliver"]> {
  const { createTransport } = await import("nodemailer");
  const composer = createTransport({ streamTransport: true, buffer: true, newline: "windows" });
  return async ({ message, recipients }, id) => {
    const { message: eml } = await composer.sendMail(message);
    if (!(eml instanceof Uint8Array)) throw new TypeError("The mail was not composed.");
    const name = `${id}.eml`;
    const temporary = `${folder}/.${name}.tmp`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.writeFile(temporary, eml);
    await Deno.rename(temporary, `${folder}/${name}`);
    return { accepted: recipients, rejected: [], outbox: name };
  };
}
