import { z } from "zod";
import { type Mail, mail, type Mailbox } from "./lib/mail.ts";
import { domainOf, openPost, postPermissions } from "./lib/post.ts";
import type { Letter } from "./lib/smtp.ts";
import { defineTask } from "./mod.ts";

export default defineTask({
  description: "Sends an e-mail over SMTP_URL; without it, writes the e-mail to DATA_DIR/outbox.",
  input: mail.safeExtend({ failSilently: z.boolean().default(false) })
    .meta({ examples: [{ to: ["ada@example.com"], subject: "Hello", text: "Hi Ada" }] }),
  result: z.strictObject({
    messageId: z.string(),
    accepted: z.array(z.string()),
    rejected: z.array(z.strictObject({ address: z.string(), smtpCode: z.int(), message: z.string() })),
    /** The file in `DATA_DIR/outbox`, where nothing was sent. */
    outbox: z.string().optional(),
  }),
  permissions: ({ env }) => postPermissions(env),
  concurrency: 32,
  tasksPerWorker: 16,
  timeout: "60s",
  maxAttempts: 5,
  // A mail that may have gone out is not sent again by guess.
  onCrash: "fail",
  setup: ({ signal }) => openPost(signal),
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
    messageId: `<${id}@${domainOf(from)}>`,
  };
  return { message, recipients: [...new Set([...to, ...cc, ...bcc].map(({ address }) => address))] };
}
