import type { SMTPServerOptions } from "smtp-server";
import definition from "../../../tasks/send_bulk_email.ts";
import { type TaskContext, TaskFailure } from "../../../tasks/mod.ts";
import { contextFor, perform, type Traces } from "../context.ts";
import { MailServer, type Script, ScriptedServer } from "../mail_server.ts";

export interface Sent {
  sent: number;
  rejected: { address: string; smtpCode: number; message: string }[];
  rejectedCount: number;
  repeated: string[];
  unknown: string[];
  skipped: { row: number; message: string }[];
  skippedCount: number;
  outbox?: true;
}

export type Attempt = (
  input: Record<string, unknown>,
  options?: Partial<TaskContext<unknown>>,
) => Promise<Sent & { context: Traces }>;

const POOL_TIMERS = 170;

/** A worker with these variables: its `setup` once, and then any number of attempts. */
export async function withWorker(
  env: Record<string, string>,
  test: (attempt: Attempt) => Promise<void>,
): Promise<void> {
  const names = ["SMTP_URL", "MAIL_FROM", "DATA_DIR"];
  const before = names.map((name) => [name, Deno.env.get(name)] as const);
  for (const name of names) env[name] ? Deno.env.set(name, env[name]) : Deno.env.delete(name);
  const controller = new AbortController();
  try {
    const setup = await definition.setup?.({ signal: controller.signal });
    await test(async (input, options) => {
      const context = contextFor({ ...options, setup });
      const mail = { subject: "Hello", text: "Hi", ...input };
      return { ...await perform(definition, mail, context) as Sent, context };
    });
  } finally {
    controller.abort();
    // After a conversation that failed, nodemailer's pool looks after its queue once more, on timers nobody can clear.
    await new Promise((resolve) => setTimeout(resolve, POOL_TIMERS));
    for (const [name, value] of before) {
      value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    }
  }
}

export async function withServer(
  options: SMTPServerOptions,
  test: (attempt: Attempt, server: MailServer) => Promise<void>,
): Promise<void> {
  await using server = await MailServer.start({ disabledCommands: ["STARTTLS"], ...options });
  const env = { SMTP_URL: `smtp://127.0.0.1:${server.port}`, MAIL_FROM: "Errand <errand@example.org>" };
  await withWorker(env, (attempt) => test(attempt, server));
}

export async function withScript(
  script: Script,
  test: (attempt: Attempt, server: ScriptedServer) => Promise<void>,
): Promise<void> {
  await using server = await ScriptedServer.start(script);
  await withWorker({ SMTP_URL: `smtp://127.0.0.1:${server.port}` }, (attempt) => test(attempt, server));
}

export async function failureOf(attempt: Promise<unknown>): Promise<TaskFailure> {
  const failure = await attempt.then((value) => value, (error) => error);
  if (failure instanceof TaskFailure) return failure;
  throw new TypeError(`It did not fail as it should: ${JSON.stringify(failure)} ${failure?.stack}`);
}

/** `a0@example.com`, `a1@…`. */
export const addresses = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `a${i}@example.com`);
export const recipients = (count: number) => addresses(count).map((address) => ({ address }));
/** How often each address has received a mail. */
export function received({ mails }: MailServer): Map<string, number> {
  const counts = new Map<string, number>();
  for (const address of mails.flatMap(({ to }) => to)) counts.set(address, (counts.get(address) ?? 0) + 1);
  return counts;
}
