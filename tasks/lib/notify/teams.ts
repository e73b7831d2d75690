import { fit, type Level, MEASURES, type Message } from "./message.ts";

/** Bytes of text, so that the message has less than the 28 KB that Teams takes. */
const TEXT_MAX = 16_000;
const LINES_MAX = 100;

const COLORS: Readonly<Record<Level, string>> = {
  info: "default",
  success: "good",
  warning: "warning",
  error: "attention",
};

/**
 * The body for a workflow that begins with "When a Teams webhook request is received": a message with an Adaptive
 * Card. Of its elements, a `TextRun` is the one that knows no Markdown.
 */
export function teamsBody({ title, text, url, level }: Message): unknown {
  const lines = fit(text, TEXT_MAX, undefined, MEASURES.bytes).split("\n").filter((line) =>
    line.trim() !== ""
  );
  const last = lines.splice(LINES_MAX - 1).join(" ");
  const block = (text: string, style: Record<string, unknown> = {}) => ({
    type: "RichTextBlock",
    inlines: [{ type: "TextRun", text, ...style }],
  });
  return {
    type: "message",
    attachments: [{
      contentType: "application/vnd.microsoft.card.adaptive",
      contentUrl: null,
      content: {
        $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
        type: "AdaptiveCard",
        version: "1.4",
        body: [
          block(title, { weight: "bolder", size: "medium", color: COLORS[level] }),
          ...[...lines, ...(last ? [last] : [])].map((line) => block(line)),
        ],
        ...(url && { actions: [{ type: "Action.OpenUrl", title: "Open", url }] }),
        msteams: { width: "Full" },
      },
    }],
  };
}
