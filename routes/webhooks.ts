import { z } from "zod";
import type { NewTask, Task, Webhook } from "../queue/task.ts";
import { type AllowList, targetFlaw } from "../tasks/mod.ts";
import { type Flaw, invalid, Problem } from "./problem.ts";
import { isoTime, renderTask } from "./render.ts";

/** The type whose tasks are deliveries. */
export const DELIVERY = "deliver-webhook";
/** A webhook that makes a task with a webhook that makes a task …: further than this it is a loop. */
export const DEPTH_MAX = 3;
/** What a delivery carries, and a request that it caused should hand on. */
const DEPTH_HEADER = "errand-webhook-depth";

const EVENTS = {
  "task.succeeded": "succeeded",
  "task.failed": "failed",
  "task.cancelled": "cancelled",
} as const;
type Event = keyof typeof EVENTS;

/** In the body of a submission. */
export const webhookSchema = z.strictObject({
  url: z.string().max(2_048),
  events: z.array(z.enum(Object.keys(EVENTS) as [Event])).min(1).max(3).optional().describe(
    "All of them unless given.",
  ),
  secret: z.string().regex(
    /^whsec_(?:[A-Za-z0-9+/]{4}){8,21}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
    "must be whsec_ and 24 to 64 bytes in base64",
  ).optional().describe("Signs what is sent (Standard Webhooks 1.0). It is never shown again."),
}).describe("Is told when the task has ended.");

/** @throws {Problem} for a target that may not be asked */
export function checkTarget(url: string, allow: AllowList, pointer: string): void {
  const flaw = targetFlaw(url, allow);
  if (flaw === undefined) return;
  throw new Problem("target-not-allowed", undefined, {
    errors: [{ pointer, detail: `The URL ${flaw}` } satisfies Flaw],
  });
}

/**
 * How many webhooks led to a request.
 *
 * @throws {Problem} where one more would be a loop
 */
export function depthOf(headers: Headers, pointer: string): number {
  const text = headers.get(DEPTH_HEADER);
  if (text === null) return 0;
  const depth = /^\d{1,3}$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(depth)) throw new Problem("bad-request", "Errand-Webhook-Depth must be a number.");
  if (depth >= DEPTH_MAX) {
    throw invalid(pointer, `must not be: ${depth} webhooks led to this request, and ${DEPTH_MAX} are a loop`);
  }
  return depth;
}

export function webhookOf({ url, events, secret }: z.output<typeof webhookSchema>): Webhook {
  return { url, events: events?.map((event) => EVENTS[event]), secret };
}

/** Characters; Standard Webhooks 1.0 recommends less than 20 kB. */
const PAYLOAD_MAX = 16 * 1024;

/** The task as clients see it, without a result that would make it large: `links.result` says where that is. */
function payload(ended: Task): string {
  const whole = renderTask(ended);
  return whole.length <= PAYLOAD_MAX ? whole : renderTask({ ...ended, result: undefined });
}

/** What a delivery is made of, besides the task that it is for. */
export interface DeliveryOptions {
  readonly newId: () => string;
  readonly now: () => number;
  /** Of the type `deliver-webhook`. */
  readonly maxAttempts: number;
  readonly timeout: number;
}

/** The delivery that follows a task's end, where somebody asked for it. */
export function deliveries(
  { newId, now, maxAttempts, timeout }: DeliveryOptions,
): (ended: Task) => NewTask | undefined {
  return (ended) => {
    const webhook = ended.extras?.webhook;
    if (webhook === undefined || !(webhook.events?.includes(ended.status) ?? true)) return undefined;
    const id = newId();
    const event = `task.${ended.status}`;
    const body = `{"type":"${event}","timestamp":"${isoTime(now())}","data":${payload(ended)}}`;
    const depth = (ended.extras?.depth ?? 0) + 1;
    const input = JSON.stringify({ url: webhook.url, id, event, body, secret: webhook.secret, depth });
    return {
      id,
      type: DELIVERY,
      owner: ended.owner,
      input,
      priority: 0,
      maxAttempts,
      timeout,
      extras: { parent: ended.id },
    };
  };
}
