import { fit, type Message, SIGNS } from "./message.ts";

/** Of a header block, of a section's text: Block Kit reference. */
const HEADER_MAX = 150;
const SECTION_MAX = 3_000;

/** The three characters that Slack's markup consists of, mentions among it: "Formatting message text", "Escaping text". */
const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** The body for an incoming webhook, in Block Kit. `plain_text` knows no formatting and no mentions. */
export function slackBody({ title, text, url, level }: Message): unknown {
  const plain = (text: string, most: number) => ({ type: "plain_text", text: fit(text, most, escape) });
  // In a link, a vertical bar begins its text.
  const link = url && { type: "mrkdwn", text: `<${escape(url.replaceAll("|", "%7C"))}>`, verbatim: true };
  return {
    // For notifications, and for clients that know no blocks.
    text: fit(`${SIGNS[level]} ${title}`, SECTION_MAX, escape),
    blocks: [
      { type: "header", text: plain(`${SIGNS[level]} ${title}`, HEADER_MAX) },
      { type: "section", text: plain(text, SECTION_MAX) },
      ...(link ? [{ type: "section", text: link }] : []),
    ],
    unfurl_links: false,
    unfurl_media: false,
  };
}
