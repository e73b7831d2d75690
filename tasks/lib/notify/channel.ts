import { z } from "zod";
import { target } from "../egress/target.ts";
import { TaskFailure } from "../failure.ts";
import { mailboxes } from "../mail.ts";
import { webhookSecret } from "../standard_webhook.ts";
import { mayRead, secretName, secretOf } from "../web/secrets.ts";
import { topicOf } from "./ntfy.ts";

/** `{"secret": "OPS"}` is `NOTIFY_SECRET_OPS`: a channel's URL is its password, too. */
export const NOTIFY_SECRET = "NOTIFY_SECRET_";

const reference = z.strictObject({ secret: secretName }).superRefine(({ secret }, { addIssue }) => {
  const variable = NOTIFY_SECRET + secret;
  if (mayRead(variable) && !secretOf(variable)) {
    addIssue({ code: "custom", path: ["secret"], message: `names no secret: ${secret}` });
  }
});
const place = z.union([target, reference], 'must be a URL, or {"secret": "NAME"}');
type Place = z.output<typeof place>;

export const KINDS = ["webhook", "slack", "discord", "teams", "ntfy", "email"] as const;
export type Kind = (typeof KINDS)[number];

/** One way to reach somebody. */
export const channel = z.strictObject({
  webhook: place.optional(),
  slack: place.optional(),
  discord: place.optional(),
  teams: place.optional(),
  /** The URL of a topic. */
  ntfy: place.optional(),
  email: mailboxes.optional(),
  /** What a webhook is signed with. */
  secret: webhookSecret.optional(),
}).superRefine((channel, { addIssue }) => {
  const issue = (message: string, path: string[] = []) => addIssue({ code: "custom", path, message });
  const given = KINDS.filter((kind) => channel[kind] !== undefined);
  if (given.length !== 1) issue(`must be one of ${KINDS.join(", ")}`);
  if (channel.secret !== undefined && channel.webhook === undefined) issue("is for a webhook", ["secret"]);
  if (channel.email?.length === 0) issue("must name somebody", ["email"]);
  if (typeof channel.ntfy === "string" && !topicOf(new URL(channel.ntfy))) {
    issue("must be the URL of a topic, such as https://ntfy.sh/alerts", ["ntfy"]);
  }
});
export type Channel = z.output<typeof channel>;

export function kindOf(channel: Channel): Kind {
  return KINDS.find((kind) => channel[kind] !== undefined)!;
}

/** Where a channel is, and what it wants to be told besides. */
export interface Address {
  readonly url: URL;
  readonly authorization?: string | undefined;
  readonly signWith?: string | undefined;
}

/**
 * An operator's URL may hold a user and a password, which go out as `Authorization`, and after `#` what webhooks are
 * signed with.
 *
 * @throws {TaskFailure} `invalid_input`, without a word of the URL
 */
export function addressOf(place: Place): Address {
  if (typeof place === "string") return { url: new URL(place) };
  const url = URL.parse(secretOf(NOTIFY_SECRET + place.secret) ?? "");
  const secret = url && url.hash !== "" ? webhookSecret.safeParse(decoded(url.hash.slice(1))) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || secret?.success === false) {
    throw new TaskFailure("invalid_input", `${NOTIFY_SECRET}${place.secret} is no URL of a channel.`);
  }
  const { username, password } = url;
  const user = `${decoded(username)}:${decoded(password)}`;
  url.username = url.password = url.hash = "";
  return {
    url,
    ...((username || password) && { authorization: `Basic ${base64(user)}` }),
    ...(secret && { signWith: secret.data }),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
