/** Tells one channel. */
import { guardedFetch } from "../egress/fetch.ts";
import { TaskFailure } from "../failure.ts";
import type { Post } from "../post.ts";
import { parseSmtpUrl } from "../smtp.ts";
import { webhookHeaders } from "../standard_webhook.ts";
import { upstreamStatus } from "../web/upstream.ts";
import { addressOf, type Channel, kindOf } from "./channel.ts";
import { discordBody, discordUrl } from "./discord.ts";
import { letterOf } from "./letter.ts";
import type { Message } from "./message.ts";
import { ntfyBody, ntfyUrl, topicOf } from "./ntfy.ts";
import { slackBody } from "./slack.ts";
import { teamsBody } from "./teams.ts";

const ANSWER_WITHIN = 20_000;

export interface Telling {
  /** The same in every attempt. */
  readonly id: string;
  /** When it happened, in milliseconds since the epoch. */
  readonly at: number;
  readonly signal: AbortSignal;
  /** From now on it may have arrived, whatever is thrown. */
  readonly onSend: () => void;
  readonly post: () => Promise<Post>;
}

/** What goes to whom over HTTP. */
interface Call {
  readonly url: URL;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

/**
 * @throws {TaskFailure} whose `retryable` is `true` only where it has not arrived, or where arriving twice does no harm
 */
export async function tell(channel: Channel, message: Message, telling: Telling): Promise<void> {
  if (channel.email) return await mail(channel.email, message, telling);
  const { url, headers, body } = await callOf(channel, message, telling);
  let sent = false;
  try {
    const answer = await guardedFetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
      signal: telling.signal,
      timeout: ANSWER_WITHIN,
      maxRedirects: 0,
      onSend() {
        sent = true;
        telling.onSend();
      },
    });
    // Whatever else it says is of no use to anyone here.
    await answer.body.cancel();
    const { status } = answer;
    if (status < 200 || status > 299) throw upstreamStatus(url.host, status, answer.headers);
  } catch (error) {
    telling.signal.throwIfAborted();
    // Receivers of webhooks know by their id what they have had.
    const safe = !sent || channel.webhook !== undefined;
    if (safe || !(error instanceof TaskFailure) || error.code === "upstream_status") throw error;
    const message = `${url.host} was told, and did not answer: it may have been delivered or not.`;
    throw new TaskFailure("outcome_unknown", message, { cause: error });
  }
}

async function callOf(channel: Channel, message: Message, { id, at }: Telling): Promise<Call> {
  const kind = kindOf(channel);
  const place = channel[kind];
  // Mail is no call, and of the others there is one.
  if (place === undefined || Array.isArray(place)) throw new TypeError("Not a channel.");
  const { url, authorization, signWith } = addressOf(place);
  const headers: Record<string, string> = authorization ? { authorization } : {};
  switch (kind) {
    case "slack":
      return { url, headers, body: slackBody(message) };
    case "discord":
      return { url: discordUrl(url), headers, body: discordBody(message) };
    case "teams":
      return { url, headers, body: teamsBody(message) };
    case "ntfy": {
      const topic = topicOf(url);
      if (!topic) throw new TaskFailure("invalid_input", "The URL for ntfy is not that of a topic.");
      return { url: ntfyUrl(url), headers, body: ntfyBody(message, topic) };
    }
    default: {
      const event = { type: "notification", timestamp: new Date(at).toISOString(), data: message };
      const body = JSON.stringify(event);
      return {
        url,
        body,
        headers: { ...headers, ...await webhookHeaders(id, body, channel.secret ?? signWith) },
      };
    }
  }
}

async function mail(
  to: NonNullable<Channel["email"]>,
  message: Message,
  { id, signal, post, onSend }: Telling,
): Promise<void> {
  await admitted();
  const { from, deliver } = await post();
  onSend();
  const { failure } = await deliver(letterOf(message, to, from, id), id, signal);
  if (failure) throw failure;
}

/**
 * This type may use the network but for what is not public; a mail server that is not has to be in `EGRESS_ALLOW`.
 *
 * @throws {TaskFailure} `egress_blocked`
 */
async function admitted(): Promise<void> {
  const url = Deno.env.get("SMTP_URL");
  if (!url) return;
  const { lookup } = await import("node:dns/promises");
  const { host, port } = parseSmtpUrl(url);
  // A name that cannot be resolved is the mail library's to say.
  const addresses = await lookup(host, { all: true }).catch(() => []);
  const denied = addresses.some(({ address, family }) => {
    const literal = family === 6 ? `[${address}]` : address;
    return Deno.permissions.querySync({ name: "net", host: `${literal}:${port}` }).state !== "granted";
  });
  if (!denied) return;
  throw new TaskFailure(
    "egress_blocked",
    "The mail server is at an address that EGRESS_ALLOW does not admit.",
  );
}
