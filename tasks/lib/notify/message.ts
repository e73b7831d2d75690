import { z } from "zod";

export const LEVELS = ["info", "success", "warning", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** What is said, whichever way. */
export interface Message {
  readonly title: string;
  readonly text: string;
  readonly url?: string | undefined;
  readonly level: Level;
}

/** Where more is to be read; not a target of ours, so it may lead anywhere that people may go. */
export const link = z.string().max(2_000).transform((text, context) => {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password) return url.href;
  context.addIssue({ code: "custom", message: "must be an http or https URL without user and password" });
  return z.NEVER;
});

/** For channels whose messages have no level of their own. */
export const SIGNS: Readonly<Record<Level, string>> = {
  info: "ℹ️",
  success: "✅",
  warning: "⚠️",
  error: "🚨",
};

const utf8 = new TextEncoder();

/** How a channel counts: Slack and Discord in characters, others in bytes. */
export const MEASURES = {
  characters: (text: string) => text.length,
  bytes: (text: string) => utf8.encode(text).length,
};

/**
 * As much of a text as there is room for once it is escaped; what is cut off shows as "…".
 *
 * @param most as `measure` counts
 */
export function fit(
  text: string,
  most: number,
  escape: (text: string) => string = (text) => text,
  measure: (text: string) => number = MEASURES.characters,
): string {
  const whole = escape(text);
  if (measure(whole) <= most) return whole;
  let fitted = "";
  let left = most - measure("…");
  // Letter by letter as people see them: an emoji of several code points is not cut in two.
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    const escaped = escape(segment);
    left -= measure(escaped);
    if (left < 0) break;
    fitted += escaped;
  }
  return `${fitted}…`;
}
