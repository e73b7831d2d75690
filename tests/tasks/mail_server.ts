import { createServer, type Server, type Socket } from "node:net";
import { Buffer } from "node:buffer";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

/** Signed by itself, for `localhost`, until 2126. */
const file = (name: string) => Deno.readTextFileSync(new URL(`certs/${name}`, import.meta.url));
const certificate = { key: file("localhost.key"), cert: file("localhost.crt") };

/** A mail as the server was told it: the envelope, and the bytes. */
export interface Received {
  from: string;
  to: string[];
  raw: string;
  secure: boolean;
}

/** A real SMTP server on a free port of the loopback interface, which keeps what it receives. */
export class MailServer implements AsyncDisposable {
  readonly mails: Received[] = [];
  /** Connections that were ever opened. */
  connections = 0;
  readonly #server: SMTPServer;

  private constructor(options: SMTPServerOptions) {
    this.#server = new SMTPServer({
      ...certificate,
      name: "localhost",
      disableReverseLookup: true,
      authOptional: true,
      ...options,
      onConnect: (_, done) => {
        this.connections++;
        done();
      },
      onData: async (stream, session, done) => {
        const chunks: Uint8Array[] = [];
        try {
          for await (const chunk of stream) chunks.push(chunk);
        } catch (error) {
          // Its client died in the middle of it.
          return done(error as Error);
        }
        const { mailFrom, rcptTo } = session.envelope;
        this.mails.push({
          from: mailFrom ? mailFrom.address : "",
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString("latin1"),
          secure: session.secure,
        });
        if (options.onData) options.onData(stream, session, done);
        else done();
      },
    });
    // A client that turns its back on a certificate is what some tests are about.
    this.#server.on("error", () => {});
  }

  static async start(options: SMTPServerOptions = {}): Promise<MailServer> {
    const server = new MailServer(options);
    await new Promise<void>((started) => server.#server.listen(0, "127.0.0.1", started));
    return server;
  }

  get port(): number {
    return portOf(this.#server.server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((closed) => this.#server.close(closed));
  }
}

/** What a scripted server does where: a reply, or hanging up without one. */
export type Script = Partial<
  Record<
    "greeting" | "EHLO" | "STARTTLS" | "AUTH" | "MAIL" | "RCPT" | "DATA" | "message" | "RSET",
    string | null
  >
>;

/** A server that says what a test tells it to, for the conversations that no decent server would have. */
export class ScriptedServer implements AsyncDisposable {
  /** Mails that arrived whole, whatever was answered. */
  messages = 0;
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: { command: string; heard: () => void }[] = [];

  private constructor(readonly script: Script) {
    this.#server = createServer((socket) => this.#talk(socket));
  }

  static async start(script: Script): Promise<ScriptedServer> {
    const server = new ScriptedServer(script);
    await new Promise<void>((started) => server.#server.listen(0, "127.0.0.1", started));
    return server;
  }

  get port(): number {
    return portOf(this.#server);
  }

  /** Resolves when a client next says this. */
  hears(command: string): Promise<void> {
    return new Promise((heard) => this.#waiting.push({ command, heard }));
  }

  get open(): number {
    return this.#sockets.size;
  }

  #talk(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket)).on("error", () => {});
    const say = (step: keyof Script, usual: string) => {
      const reply = this.script[step] === undefined ? usual : this.script[step];
      if (reply === null) socket.destroy();
      else if (reply !== "") socket.write(`${reply}\r\n`);
      for (const { command, heard } of this.#waiting) if (command === step) heard();
      return reply ?? "";
    };
    say("greeting", "220 ready");
    let text = "";
    let inMessage = false;
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      for (;;) {
        const end = inMessage ? /\r\n\.\r\n/.exec(text) : /\r\n/.exec(text);
        if (!end) return;
        const line = text.slice(0, end.index);
        text = text.slice(end.index + end[0].length);
        if (inMessage) {
          inMessage = false;
          this.messages++;
          say("message", "250 taken");
          continue;
        }
        const verb = line.split(" ")[0]!.toUpperCase() as keyof Script;
        const reply = say(verb, verb === "DATA" ? "354 go on" : "250 fine");
        if (verb === "DATA") inMessage = reply.startsWith("3");
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((closed) => this.#server.close(closed));
  }
}

function portOf(server: { address(): ReturnType<Server["address"]> }): number {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new TypeError("The server does not listen.");
  return address.port;
}
