import type { SMTPServerOptions } from "smtp-server";
import definition from "../../tasks/send_email.ts";
import type { TaskContext } from "../../tasks/mod.ts";
import { contextFor, perform, type Traces } from "./context.ts";
import { MailServer, type Script, ScriptedServer } from "./mail_server.ts";

/** A mail's result. */
export interface Sent {
  messageId: string;
  accepted: string[];
  rejected: { address: string; smtpCode: number; message: string }[];
  outbox?: string;
}

/** Runs one task in the worker; what is not given of the mail is something harmless. */
export type Send = (
  input: Record<string, unknown>,
  options?: Partial<TaskContext>,
) => Promise<Sent & { context: TaskContext<unknown> & Traces }>;

const POOL_TIMERS = 170;

/** A worker with these variables: its `setup` once, and then any number of mails. */
export async function withWorker(
  env: Record<string, string>,
  test: (send: Send) => Promise<void>,
): Promise<void> {
  const names = ["SMTP_URL", "MAIL_FROM", "DATA_DIR"];
  const before = names.map((name) => [name, Deno.env.get(name)] as const);
  for (const name of names) env[name] ? Deno.env.set(name, env[name]) : Deno.env.delete(name);
  const controller = new AbortController();
  let smooth = true;
  try {
    const setup = await definition.setup?.({ signal: controller.signal });
    await test(async (input, options) => {
      const context = contextFor({ ...options, setup });
      const mail = { to: "ada@example.com", subject: "Hello", text: "Hi", ...input };
      try {
        const result = await perform(definition, mail, context) as Sent;
        smooth &&= result.accepted.length > 0;
        return { ...result, context };
      } catch (error) {
        smooth = false;
        throw error;
      }
    });
  } finally {
    controller.abort();
    // After a conversation that failed, nodemailer's pool looks after its queue once more, on timers nobody can clear.
    if (!smooth) await new Promise((resolve) => setTimeout(resolve, POOL_TIMERS));
    for (const [name, value] of before) {
      value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
    }
  }
}

export async function withServer(
  options: SMTPServerOptions,
  test: (send: Send, server: MailServer) => Promise<void>,
  url = "smtp://localhost:PORT?rejectUnauthorized=false",
): Promise<void> {
  await using server = await MailServer.start(options);
  await withWorker(
    { SMTP_URL: url.replace("PORT", `${server.port}`), MAIL_FROM: "Errand <errand@example.org>" },
    (send) => test(send, server),
  );
}

export async function withScript(
  script: Script,
  test: (send: Send, server: ScriptedServer) => Promise<void>,
  url = "smtp://127.0.0.1:PORT",
): Promise<void> {
  await using server = await ScriptedServer.start(script);
  await withWorker({ SMTP_URL: url.replace("PORT", `${server.port}`) }, (send) => test(send, server));
}
