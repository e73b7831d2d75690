import { fit, type Level, MEASURES, type Message } from "./message.ts";

/** Bytes; ntfy makes a file of a message that is longer. */
const MESSAGE_MAX = 4_096;
const TITLE_MAX = 250;
const TOPIC = /^\/([-\w]{1,64})\/?$/;

const PRIORITIES: Readonly<Record<Level, number>> = { info: 3, success: 3, warning: 4, error: 5 };
/** Short codes that ntfy shows as emojis. */
const TAGS: Readonly<Record<Level, string[]>> = {
  info: [],
  success: ["white_check_mark"],
  warning: ["warning"],
  error: ["rotating_light"],
};

/** `undefined` where the URL is not that of a topic, such as https://ntfy.sh/alerts. */
export function topicOf({ pathname }: URL): string | undefined {
  return TOPIC.exec(pathname)?.[1];
}

/** JSON goes to the root, and names the topic: "Publish as JSON". As it is, nothing needs to fit into a header. */
export function ntfyUrl({ origin }: URL): URL {
  return new URL("/", origin);
}

export function ntfyBody({ title, text, url, level }: Message, topic: string): unknown {
  return {
    topic,
    title: fit(title, TITLE_MAX),
    message: fit(text, MESSAGE_MAX, undefined, MEASURES.bytes),
    priority: PRIORITIES[level],
    tags: TAGS[level],
    ...(url && { click: url }),
    markdown: false,
  };
}
