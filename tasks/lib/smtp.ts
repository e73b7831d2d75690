import { connect } from "node:net";
import type { NodemailerError, SendMailOptions, SMTPPoolOptions } from "nodemailer";
import { z } from "zod";
import { TaskFailure } from "./failure.ts";

/** Where mail is handed in, as `SMTP_URL` says. */
export interface SmtpServer {
  host: string;
  port: number;
  /** TLS from the first byte. */
  secure: boolean;
  auth: { user: string; pass: string } | undefined;
  requireTLS: boolean;
  ignoreTLS: boolean;
  rejectUnauthorized: boolean;
}

/** A recipient that the server did not take, and why. */
export interface Rejection {
  address: string;
  smtpCode: number;
  message: string;
}

/** A mail and whom it goes to. */
export interface Letter {
  message: SendMailOptions & { messageId: string };
  recipients: string[];
}

/** What became of a mail. */
export interface Delivery {
  accepted: string[];
  rejected: Rejection[];
  /** Why it reached nobody, or may have reached nobody. */
  failure?: TaskFailure;
}

/** A few connections to one mail server, opened when they are needed. */
export interface Smtp {
  /** @throws the signal's reason, where it aborted before the mail was handed over */
  send(letter: Letter, signal: AbortSignal): Promise<Delivery>;
  close(): void;
}

const flag = z.enum(["true", "false"]).transform((text) => text === "true");
const parameters = z.strictObject({
  requireTLS: flag.optional(),
  ignoreTLS: flag.default(false),
  rejectUnauthorized: flag.default(true),
});

/**
 * Reads `smtp://user:password@host:587?requireTLS=true` or `smtps://…:465`.
 *
 * @throws {TypeError} without a word of the URL, which holds a password
 */
export function parseSmtpUrl(text: string): SmtpServer {
  const url = URL.parse(text);
  const options = parameters.safeParse(Object.fromEntries(url?.searchParams ?? []));
  if (!url || !/^smtps?:$/.test(url.protocol) || !url.hostname) {
    throw new TypeError("SMTP_URL must be smtp://user:password@host:587 or smtps://…:465");
  }
  if (!options.success) {
    throw new TypeError(
      `SMTP_URL: its parameters are ${Object.keys(parameters.shape).join(", ")}: true or false`,
    );
  }
  const secure = url.protocol === "smtps:";
  const auth = url.username
    ? { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) }
    : undefined;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    auth,
    ...options.data,
    // Someone in between who hides STARTTLS would be told the password.
    requireTLS: options.data.requireTLS ?? (auth !== undefined && !options.data.ignoreTLS),
  };
}

/** `net` permission for this server and no other. */
export const netOf = ({ host, port }: SmtpServer): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

// Together below the task's timeout: the server that does not answer is found out here, where it is known how far the
// mail had got.
const CONNECT_TIMEOUT = 10_000;
const ANSWER_TIMEOUT = 45_000;

/** Loads the mail library, and connects when the first mail is sent. */
export async function openSmtp(server: SmtpServer): Promise<Smtp> {
  const { createTransport } = await import("nodemailer");
  const { rejectUnauthorized, ...options } = server;
  const pool: SMTPPoolOptions & { pool: true } = {
    ...options,
    pool: true,
    maxConnections: 5,
    // A pooled connection that the server had closed meanwhile is replaced; the mail had not left.
    maxRequeues: 1,
    // Credentials that go unused because the server mentions no AUTH would be a surprise later on.
    forceAuth: server.auth !== undefined,
    tls: { rejectUnauthorized },
    // What nodemailer would say for itself is the name of the machine, which takes a permission to read.
    name: "[127.0.0.1]",
    connectionTimeout: CONNECT_TIMEOUT,
    greetingTimeout: CONNECT_TIMEOUT,
    socketTimeout: ANSWER_TIMEOUT,
    disableFileAccess: true,
    disableUrlAccess: true,
    // Left to itself, nodemailer asks name servers, which the permissions do not allow; `connect` asks the system.
    getSocket(_, callback) {
      const socket = connect({ host: server.host, port: server.port });
      const settle = (error: Error | null) => {
        socket.removeAllListeners();
        socket.setTimeout(0);
        if (!error) return callback(null, { connection: socket });
        socket.on("error", () => {}).destroy();
        callback(error, false);
      };
      socket.once("connect", () => settle(null)).once("error", settle);
      socket.setTimeout(
        CONNECT_TIMEOUT,
        () => settle(Object.assign(new Error("No connection"), { code: "ETIMEDOUT" })),
      );
    },
  };
  const transport = createTransport(pool);
  /** Mails whose last byte has been written, and that the server may have taken therefore. */
  const handedOver = new Set<string>();
  transport.use("stream", ({ message }, done) => {
    message.processFunc((stream) => stream.once("end", () => handedOver.add(message.messageId())));
    done();
  });
  return {
    async send({ message, recipients }, signal) {
      try {
        const { accepted, rejectedErrors = [] } = await transport.sendMail({ ...message, signal });
        return { accepted, rejected: rejectedErrors.map(rejection) };
      } catch (error) {
        const sent = handedOver.has(message.messageId);
        if (!sent) signal.throwIfAborted();
        return undelivered(error as NodemailerError, sent, recipients);
      } finally {
        handedOver.delete(message.messageId);
      }
    },
    close: () => transport.close(),
  };
}

/** An error in words of ours: the library's may quote the server's, and the server's the password. */
function undelivered(error: NodemailerError, sent: boolean, recipients: string[]): Delivery {
  const { code, responseCode: smtpCode = 0, rejectedErrors = [] } = error;
  const fail = (kind: string, message: string, retryable: boolean, rejected: Rejection[] = []): Delivery => {
    const { address: recipient } = rejected.find((each) => each.smtpCode === smtpCode) ?? {};
    const details = smtpCode ? { ...(recipient && { recipient }), smtpCode } : undefined;
    return {
      accepted: [],
      rejected,
      failure: new TaskFailure(kind, message, { retryable, details, cause: error }),
    };
  };
  const later = smtpCode >= 400 && smtpCode < 500;
  if (later || smtpCode >= 500) {
    if (code === "EENVELOPE" || code === "EMESSAGE") {
      const rejected = rejectedErrors.length > 0
        ? rejectedErrors.map(rejection)
        : recipients.map((recipient) => rejection({ ...error, recipient }));
      return fail("smtp_rejected", `The mail server refused the mail: ${smtpCode}.`, later, rejected);
    }
    if (code === "ETLS") return fail("tls_failure", `The mail server refused STARTTLS: ${smtpCode}.`, false);
    if (later) return fail("smtp_unavailable", `The mail server is not available: ${smtpCode}.`, true);
    const what = code === "EAUTH" ? "the credentials in SMTP_URL" : "the connection";
    return fail("smtp_rejected", `The mail server refused ${what}: ${smtpCode}.`, false);
  }
  if (sent) {
    const message =
      "The mail was handed over, and the mail server did not answer: it may have been sent or not.";
    return fail("outcome_unknown", message, false);
  }
  if (code === "EAUTH") {
    return fail("smtp_rejected", "The mail server offers no way to use the credentials in SMTP_URL.", false);
  }
  if (isTlsError(error)) return fail("tls_failure", "No secure connection to the mail server.", false);
  if (typeof code !== "string") throw error;
  const why = error.originalCode ?? code;
  return fail("smtp_unavailable", `No conversation with the mail server: ${why}.`, true);
}

function rejection({ recipient = "", responseCode = 0, response = "" }: Partial<NodemailerError>): Rejection {
  const message = response.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]+/gu, " ").slice(0, 300);
  return { address: recipient, smtpCode: responseCode, message };
}

/** A certificate that does not hold comes as a socket's error, with OpenSSL's name for it. */
function isTlsError({ code, originalCode = "" }: NodemailerError): boolean {
  return code === "ETLS" || /CERT|TLS|SSL|SIGNATURE|ISSUER/.test(originalCode);
}
