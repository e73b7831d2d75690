import { z } from "zod";
import { webhookHeaders, webhookSecret } from "./lib/standard_webhook.ts";
import { defineTask, guardedFetch, retryAfterOf, target, TaskFailure } from "./mod.ts";

/** Of one request; Standard Webhooks 1.0 recommends 15 to 30 s. Below the task's timeout, so that this one is told. */
const ANSWER_WITHIN = 20_000;
/** A webhook that made a task whose webhook made a task whose webhook …: further than this it is a loop. */
const DEPTH_MAX = 3;

export default defineTask({
  description: "Delivers a webhook (Standard Webhooks 1.0): what a task's `webhook` becomes when it ends.",
  input: z.strictObject({
    url: target,
    /** `webhook-id`: the same in every attempt and redelivery. No full stop: one ends it in what is signed. */
    id: z.string().regex(/^[\w-]{1,128}$/, "must be letters, digits, _ and -"),
    /** `task.succeeded`, for the log. */
    event: z.string().regex(/^\w{1,50}(?:\.\w{1,50}){0,3}$/, "must be a name such as task.succeeded"),
    /** JSON, sent as it is. */
    body: z.string(),
    /** Without it nothing is signed. */
    secret: webhookSecret.optional(),
    /** How many webhooks led to this one, itself included. */
    depth: z.int().min(1).max(DEPTH_MAX).default(1),
  }),
  result: z.strictObject({ status: z.int(), ms: z.int() }),
  permissions: { net: true },
  // They wait for others, most of the time, and a receiver that is slow shall not keep all others waiting.
  concurrency: 128,
  tasksPerWorker: 64,
  timeout: "30s",
  // With BACKOFF_MAX at 10 minutes about two hours of trying.
  maxAttempts: 30,
  // What may have been delivered is delivered again: receivers tell by `webhook-id` what they have had, and a webhook
  // that never comes is the worse of the two.
  onCrash: "retry",
  async run({ url, id, event, body, secret, depth }, { signal, log }) {
    const { host } = new URL(url);
    const headers = { ...await webhookHeaders(id, body, secret), "errand-webhook-depth": `${depth}` };
    const started = performance.now();
    const took = () => Math.round(performance.now() - started);
    try {
      const options = { method: "POST", headers, body, signal, timeout: ANSWER_WITHIN, maxRedirects: 0 };
      const answer = await guardedFetch(url, options);
      // Whatever else it says is of no use to anyone here.
      await answer.body.cancel();
      const { status } = answer;
      if (status < 200 || status > 299) throw refusal(host, status, retryAfterOf(answer.headers));
      log.info(`${event} to ${host}: ${status} in ${took()} ms`);
      return { status, ms: took() };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TaskFailure) log.warn(`${event} to ${host}: ${error.message} (${took()} ms)`);
      throw lasting(error);
    }
  },
});

/** All but 2xx is a failure, redirects too, and only 410 says that nobody wants it any more: section "Delivery". */
function refusal(host: string, status: number, retryAfter: number | undefined): TaskFailure {
  const gone = status === 410;
  const message = gone ? `${host} wants no more webhooks: 410.` : `${host} answered ${status}.`;
  return new TaskFailure("upstream_status", message, { retryable: !gone, retryAfter, details: { status } });
}

/** A certificate that has run out is renewed, as a rule: until then it is tried again, like a server that is down. */
function lasting(error: unknown): unknown {
  if (!(error instanceof TaskFailure) || error.code !== "tls_failure") return error;
  return new TaskFailure(error.code, error.message, { retryable: true, cause: error });
}
