import { z } from "zod";
import { channel, kindOf, KINDS, NOTIFY_SECRET } from "./lib/notify/channel.ts";
import { type Failed, failed, Ledger } from "./lib/notify/ledger.ts";
import { LEVELS, link } from "./lib/notify/message.ts";
import { tell } from "./lib/notify/tell.ts";
import { line } from "./lib/mail.ts";
import { openPost, type Post, postPermissions } from "./lib/post.ts";
import { secretsIn } from "./lib/web/secrets.ts";
import { defineTask, type FailureOptions, TaskFailure } from "./mod.ts";

const CHANNELS_MAX = 20;
const TEXT_MAX = 10_000;
/** Failures that are told one by one: an error's details are short. */
const TOLD_MAX = 20;

export default defineTask({
  description: "Tells people something by webhook, Slack, Discord, Teams, ntfy or e-mail, each once.",
  input: z.strictObject({
    to: z.array(channel).min(1).max(CHANNELS_MAX),
    title: line(200).trim().min(1),
    /** Plain text: channels that have formatting show it as it stands here. */
    text: z.string().min(1).max(TEXT_MAX),
    /** Where more is to be read. */
    url: link.optional(),
    level: z.enum(LEVELS).default("info"),
  }).meta({
    examples: [{ to: [{ email: "ada@example.com" }], title: "Backup done", text: "All 12 databases." }],
  }),
  result: z.strictObject({
    /** By entry of `to`. */
    delivered: z.array(z.strictObject({ to: z.int(), channel: z.enum(KINDS) })),
    failed: z.array(failed),
  }),
  permissions({ env }) {
    const { read, write, env: variables = [] } = postPermissions(env);
    return {
      net: true,
      ...(read && { read }),
      ...(write && { write }),
      env: [...new Set([...variables, "SMTP_URL", ...secretsIn(env, NOTIFY_SECRET)])],
    };
  },
  concurrency: 32,
  tasksPerWorker: 16,
  timeout: "60s",
  maxAttempts: 8,
  // What may have been delivered is in the checkpoint, and not tried again by guess.
  onCrash: "retry",
  setup({ signal }): { post: () => Promise<Post> } {
    let post: Promise<Post> | undefined;
    return { post: () => post ??= openPost(signal) };
  },
  async run({ to, ...message }, { id, signal, log, progress, checkpoint, setup }) {
    const ledger = new Ledger(checkpoint);
    const channels = to.map((channel, index) => ({ channel, index, kind: kindOf(channel) }));
    for (const { index, kind } of channels) {
      if (!ledger.isUnknown(index) || kind === "webhook") continue;
      const why = "An earlier attempt ended before it was known whether this was delivered.";
      await ledger.fail(index, kind, new TaskFailure("outcome_unknown", why));
    }
    const open = channels.filter(({ index }) => ledger.isOpen(index));
    await ledger.begin(open.map(({ index }) => index));
    const later: Undelivered[] = [];
    const settled = await Promise.allSettled(open.map(async ({ channel, index, kind }) => {
      let sent = false;
      const telling = {
        id: `${id}-${index}`,
        at: ledger.at,
        signal,
        post: setup.post,
        onSend: () => void (sent = true),
      };
      const failure = await tell(channel, message, telling).then(() => undefined, failureOf);
      if (failure && signal.aborted) return sent ? undefined : await ledger.reopen(index);
      if (!failure) await ledger.succeed(index);
      else if (!failure.retryable) await ledger.fail(index, kind, failure);
      else {
        later.push({ to: index, channel: kind, failure });
        await ledger.reopen(index);
      }
      if (failure) log.warn(`Not delivered to ${kind} (${index}): ${failure.message}`);
      else log.info(`Delivered to ${kind} (${index}).`);
      progress(ledger.delivered.size + ledger.failed.size, to.length);
    }));
    signal.throwIfAborted();
    for (const each of settled) if (each.status === "rejected") throw each.reason;
    const failures = [...ledger.failed.values()].sort((a, b) => a.to - b.to);
    if (later.length > 0) throw unfinished(later, failures, to.length);
    if (ledger.delivered.size === 0) throw undelivered(failures);
    const delivered = channels.filter(({ index }) => ledger.delivered.has(index));
    return {
      delivered: delivered.map(({ index, kind }) => ({ to: index, channel: kind })),
      failed: failures,
    };
  },
});

interface Undelivered {
  readonly to: number;
  readonly channel: string;
  readonly failure: TaskFailure;
}

/** Whatever goes wrong with one channel is that channel's failure, and no other's. */
function failureOf(error: unknown): TaskFailure {
  if (error instanceof TaskFailure) return error;
  const message = error instanceof Error ? error.message : "The channel could not be used.";
  const denied = error instanceof Deno.errors.NotCapable;
  return new TaskFailure(denied ? "permission_denied" : "handler_error", message, { cause: error });
}

/** Some may still be delivered, by another attempt. */
function unfinished(later: readonly Undelivered[], failures: readonly Failed[], all: number): TaskFailure {
  if (all === 1) return later[0]!.failure;
  const waits = later.flatMap(({ failure }) => failure.retryAfter ?? []);
  const left = later.map(({ to, channel, failure: { code, details } }) => ({
    to,
    channel,
    code,
    ...details,
  }));
  return partial(all, [...failures.map(brief), ...left], {
    retryable: true,
    ...(waits.length > 0 && { retryAfter: Math.max(...waits) }),
  });
}

/** None was delivered, and none will be. */
function undelivered(failures: readonly Failed[]): TaskFailure {
  const [{ code, message, status }] = failures as [Failed];
  if (failures.length > 1) return partial(failures.length, failures.map(brief), {});
  return new TaskFailure(code, message, { ...(status !== undefined && { details: { status } }) });
}

const brief = ({ message: _, ...rest }: Failed) => rest;

function partial(all: number, failures: readonly object[], options: FailureOptions): TaskFailure {
  const message = `${failures.length} of ${all} channels were not reached.`;
  return new TaskFailure("partial_failure", message, {
    ...options,
    details: {
      succeeded: all - failures.length,
      failed: failures.length,
      failures: failures.slice(0, TOLD_MAX),
    },
  });
}
