import type { Permissions } from "./define.ts";
import { type Mailbox, mailbox } from "./mail.ts";
import { type Delivery, type Letter, netOf, openSmtp, parseSmtpUrl } from "./smtp.ts";

/** Where mails go, and who they are from where they do not say. */
export interface Post {
  readonly from: Mailbox;
  /** @param id names the file, where mails become files */
  deliver(letter: Letter, id: string, signal: AbortSignal): Promise<Delivery & { outbox?: string }>;
}

/** What it takes to send mails, and nothing else. */
export function postPermissions(env: Readonly<Record<string, string | undefined>>): Permissions {
  if (env.SMTP_URL) return { net: [netOf(parseSmtpUrl(env.SMTP_URL))], env: ["SMTP_URL", "MAIL_FROM"] };
  const outbox = `${env.DATA_DIR}/outbox`;
  return { read: [outbox], write: [outbox], env: ["SMTP_URL", "MAIL_FROM", "DATA_DIR"] };
}

/**
 * The mail server of `SMTP_URL`; without it, the folder `DATA_DIR/outbox`.
 *
 * @param signal closes the connections
 * @throws {TypeError} naming the variable that is wrong
 */
export async function openPost(signal: AbortSignal): Promise<Post> {
  const from = mailbox.safeParse(Deno.env.get("MAIL_FROM") || "errand@localhost");
  if (!from.success) throw new TypeError(`MAIL_FROM ${from.error.issues[0]?.message}`);
  const url = Deno.env.get("SMTP_URL");
  if (!url) return { from: from.data, deliver: await openOutbox(`${Deno.env.get("DATA_DIR")}/outbox`) };
  const smtp = await openSmtp(parseSmtpUrl(url));
  signal.addEventListener("abort", () => smtp.close());
  return { from: from.data, deliver: (letter, _, signal) => smtp.send(letter, signal) };
}

/** The domain that message ids are made with. */
export const domainOf = ({ address }: Mailbox): string => address.slice(address.lastIndexOf("@") + 1);

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
