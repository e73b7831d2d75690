import { fit, type Level, type Message } from "./message.ts";

/** Of an embed: Discord's "Embed Limits"; 6,000 in all. */
const TITLE_MAX = 256;
const DESCRIPTION_MAX = 4_096;

const COLORS: Readonly<Record<Level, number>> = {
  info: 0x3498db,
  success: 0x2ecc71,
  warning: 0xf1c40f,
  error: 0xe74c3c,
};

/** Markdown, mentions and links, which may all begin in the middle of a line. */
const escape = (text: string) => text.replace(/[\\`*_~|<>[\]()#+\-@:]/g, "\\$&");

/** The body to execute a webhook with. */
export function discordBody({ title, text, url, level }: Message): unknown {
  return {
    embeds: [{
      title: fit(title, TITLE_MAX, escape),
      description: fit(text, DESCRIPTION_MAX, escape),
      ...(url && { url }),
      color: COLORS[level],
    }],
    // Whatever the text holds, nobody is called.
    allowed_mentions: { parse: [] },
  };
}

/** Asks for an answer only when the message is kept: without, one that is lost is no error. */
export function discordUrl(url: URL): URL {
  const waiting = new URL(url);
  waiting.searchParams.set("wait", "true");
  return waiting;
}
