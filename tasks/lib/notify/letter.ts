import type { Mailbox } from "../mail.ts";
import { domainOf } from "../post.ts";
import type { Letter } from "../smtp.ts";
import type { Message } from "./message.ts";

/** @param id the same in every attempt */
export function letterOf(
  { title, text, url, level }: Message,
  to: Mailbox[],
  from: Mailbox,
  id: string,
): Letter {
  const message = {
    from,
    to,
    subject: level === "info" ? title : `[${level}] ${title}`,
    text: url ? `${text}\n\n${url}\n` : `${text}\n`,
    ...(level === "error" && { priority: "high" as const }),
    messageId: `<${id}@${domainOf(from)}>`,
  };
  return { message, recipients: [...new Set(to.map(({ address }) => address))] };
}
