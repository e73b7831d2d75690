/** Standard Webhooks 1.0: what a message is signed with, and how. */
import { Buffer } from "node:buffer";
import { z } from "zod";

/** Bytes of a secret. */
const SECRET = { least: 24, most: 64 };

export const webhookSecret = z.string().regex(
  /^whsec_(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  "must be whsec_ and base64",
).refine(
  (text) => {
    const { length } = keyOf(text);
    return length >= SECRET.least && length <= SECRET.most;
  },
  `must be ${SECRET.least} to ${SECRET.most} bytes in base64`,
);

/**
 * The headers that make a body a webhook.
 *
 * @param id the same whenever this message is sent, so that receivers know what they have had; without full stops
 * @param secret without it nothing is signed
 */
export async function webhookHeaders(
  id: string,
  body: string,
  secret: string | undefined,
): Promise<Record<string, string>> {
  // Of this attempt, not of the event: receivers refuse what is older than a few minutes.
  const timestamp = Math.floor(Date.now() / 1000);
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": `${timestamp}`,
    ...(secret !== undefined && { "webhook-signature": await sign(secret, `${id}.${timestamp}.${body}`) }),
  };
}

function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(secret.slice("whsec_".length), "base64"));
}

/** Signature v1: HMAC-SHA256. */
async function sign(secret: string, text: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", keyOf(secret), algorithm, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text));
  return `v1,${Buffer.from(signature).toString("base64")}`;
}
