import assert from "node:assert/strict";
import type { SMTPServerOptions } from "smtp-server";
import { TaskFailure } from "../../tasks/mod.ts";
import { type Script, ScriptedServer } from "./mail_server.ts";
import { withScript, withServer, withWorker } from "./sending.ts";

async function failureOf(sending: Promise<unknown>): Promise<TaskFailure> {
  const failure = await sending.then(() => undefined, (error) => error);
  assert.ok(failure instanceof TaskFailure, `${failure}`);
  return failure;
}

const refusal = (code: number, text: string) => Object.assign(new Error(text), { responseCode: code });

Deno.test("STARTTLS is used where the server offers it", async () => {
  await withServer({}, async (send, { mails }) => {
    await send({});
    assert.equal(mails[0]?.secure, true);
  });
});

Deno.test("a mail goes in the clear where the server has no STARTTLS", async () => {
  await withServer({ disabledCommands: ["STARTTLS"] }, async (send, { mails }) => {
    await send({});
    assert.equal(mails[0]?.secure, false);
  });
});

Deno.test("smtps:// speaks TLS from the first byte", async () => {
  const url = "smtps://localhost:PORT?rejectUnauthorized=false";
  await withServer({ secure: true }, async (send, { mails }) => {
    await send({});
    assert.equal(mails[0]?.secure, true);
  }, url);
});

const onAuth: SMTPServerOptions["onAuth"] = ({ username, password }, _, done) =>
  username === "us@er" && password === "p:w/d" ? done(null, { user: 1 }) : done(null, {});

Deno.test("the credentials of SMTP_URL are shown to the server", async () => {
  const url = "smtp://us%40er:p%3Aw%2Fd@localhost:PORT?rejectUnauthorized=false";
  await withServer({ authOptional: false, onAuth }, async (send, { mails }) => {
    await send({});
    assert.equal(mails.length, 1);
  }, url);
});

Deno.test("wrong credentials fail for good, and no message tells them", async () => {
  const url = "smtp://us%40er:hunter2@localhost:PORT?rejectUnauthorized=false";
  await withServer({ authOptional: false, onAuth }, async (send) => {
    const failure = await failureOf(send({}));
    assert.deepEqual([failure.code, failure.retryable, failure.details], ["smtp_rejected", false, {
      smtpCode: 535,
    }]);
    assert.doesNotMatch(failure.message + JSON.stringify(failure.details), /hunter2|us@er|localhost/);
  }, url);
});

Deno.test("credentials are not told to a server without TLS, unless SMTP_URL allows it", async () => {
  const options: SMTPServerOptions = { disabledCommands: ["STARTTLS"], onAuth, authOptional: false };
  await withServer(options, async (send) => {
    const failure = await failureOf(send({}));
    assert.deepEqual([failure.code, failure.retryable], ["tls_failure", false]);
  }, "smtp://us%40er:p%3Aw%2Fd@localhost:PORT");
  await withServer(options, async (send, { mails }) => {
    await send({});
    assert.equal(mails.length, 1);
  }, "smtp://us%40er:p%3Aw%2Fd@localhost:PORT?requireTLS=false");
});

for (const [protocol, secure] of [["smtp", false], ["smtps", true]] as const) {
  Deno.test(`${protocol}:// refuses a certificate that nobody vouches for`, async () => {
    await withServer({ secure }, async (send, { mails }) => {
      const failure = await failureOf(send({}));
      assert.deepEqual([failure.code, failure.retryable], ["tls_failure", false]);
      assert.equal(mails.length, 0);
    }, `${protocol}://localhost:PORT`);
  });
}

Deno.test("smtps:// to a server without TLS fails for good", async () => {
  await withScript({}, async (send) => {
    const failure = await failureOf(send({}));
    assert.deepEqual([failure.code, failure.retryable], ["tls_failure", false]);
  }, "smtps://127.0.0.1:PORT");
});

/** Refuses `5xx@` and `4xx@` with that code. */
const onRcptTo: SMTPServerOptions["onRcptTo"] = ({ address }, _, done) => {
  const code = Number(/^[45]\d\d(?=@)/.exec(address)?.[0]);
  code ? done(refusal(code, `no ${address}`)) : done();
};

Deno.test("a mail that some recipients may not have succeeds, and says who was rejected", async () => {
  await withServer({ onRcptTo }, async (send, { mails }) => {
    const { context, accepted, rejected } = await send({
      to: ["550@example.com", "ada@example.com", "451@example.com"],
    });
    assert.deepEqual(accepted, ["ada@example.com"]);
    assert.deepEqual(rejected, [
      { address: "550@example.com", smtpCode: 550, message: "550 no 550@example.com" },
      { address: "451@example.com", smtpCode: 451, message: "451 no 451@example.com" },
    ]);
    assert.deepEqual(mails[0]?.to, ["ada@example.com"]);
    assert.equal(context.logged.length, 2);
  });
});

for (
  const [to, smtpCode, retryable] of [
    [["550@example.com", "553@example.com"], 553, false],
    [["450@example.com"], 450, true],
    [["451@example.com", "550@example.com"], 451, true],
  ] as const
) {
  Deno.test(`a mail that ${to.join(" and ")} may not have fails, ${retryable ? "for now" : "for good"}`, async () => {
    await withServer({ onRcptTo }, async (send, { mails }) => {
      const failure = await failureOf(send({ to }));
      const details = { recipient: `${smtpCode}@example.com`, smtpCode };
      assert.deepEqual([failure.code, failure.retryable, failure.details], [
        "smtp_rejected",
        retryable,
        details,
      ]);
      assert.equal(mails.length, 0);
    });
  });
}

Deno.test("failSilently turns a rejection into a result, and a warning", async () => {
  await withServer({ onRcptTo }, async (send) => {
    const { accepted, rejected, context } = await send({ to: "550@example.com", failSilently: true });
    assert.deepEqual(accepted, []);
    assert.deepEqual(rejected, [{
      address: "550@example.com",
      smtpCode: 550,
      message: "550 no 550@example.com",
    }]);
    assert.match(context.logged.at(-1)!, /^warn: Failed silently: /);
  });
});

for (const [code, retryable] of [[552, false], [421, true], [452, true]] as const) {
  Deno.test(`a message answered with ${code} is rejected, ${retryable ? "for now" : "for good"}`, async () => {
    await withServer({ onData: (_, __, done) => done(refusal(code, "too odd")) }, async (send) => {
      const failure = await failureOf(send({}));
      assert.deepEqual([failure.code, failure.retryable], ["smtp_rejected", retryable]);
      assert.deepEqual(failure.details, { recipient: "ada@example.com", smtpCode: code });
    });
  });
}

const outcomes: [when: string, script: Script, code: string, retryable: boolean, messages: number][] = [
  ["that greets with 421", { greeting: "421 busy" }, "smtp_unavailable", true, 0],
  ["that greets with 554", { greeting: "554 no" }, "smtp_rejected", false, 0],
  ["that hangs up at once", { greeting: null }, "smtp_unavailable", true, 0],
  ["that hangs up at EHLO", { EHLO: null }, "smtp_unavailable", true, 0],
  ["that hangs up at MAIL", { MAIL: null }, "smtp_unavailable", true, 0],
  ["that refuses the sender", { MAIL: "550 not you" }, "smtp_rejected", false, 0],
  ["that hangs up at RCPT", { RCPT: null }, "smtp_unavailable", true, 0],
  ["that hangs up at DATA", { DATA: null }, "smtp_unavailable", true, 0],
  ["that refuses DATA for now", { DATA: "451 later" }, "smtp_rejected", true, 0],
  ["that talks nonsense", { MAIL: "hello?" }, "smtp_unavailable", true, 0],
  ["that hangs up after the mail", { message: null }, "outcome_unknown", false, 1],
  ["that answers the mail with nonsense", { message: "hello?" }, "outcome_unknown", false, 1],
];
for (const [when, script, code, retryable, messages] of outcomes) {
  Deno.test(`a server ${when} is ${code}, and sees ${messages} mails`, async () => {
    await withScript(script, async (send, server) => {
      const failure = await failureOf(send({}));
      assert.deepEqual([failure.code, failure.retryable], [code, retryable]);
      assert.equal(server.messages, messages);
      const { accepted } = await send({ failSilently: true });
      assert.deepEqual(accepted, []);
    });
  });
}

Deno.test("a server that is not there is smtp_unavailable, to be tried again", async () => {
  const server = await ScriptedServer.start({});
  const { port } = server;
  await server[Symbol.asyncDispose]();
  for (const SMTP_URL of [`smtp://127.0.0.1:${port}`, "smtp://no-such-host.invalid:25"]) {
    await withWorker({ SMTP_URL }, async (send) => {
      const failure = await failureOf(send({}));
      assert.deepEqual([failure.code, failure.retryable], ["smtp_unavailable", true]);
      const { accepted } = await send({ failSilently: true });
      assert.deepEqual(accepted, []);
    });
  }
});

Deno.test("a refused mail leaves the connection usable for the next", async () => {
  await withServer({ onRcptTo }, async (send, server) => {
    for (let n = 0; n < 10; n++) {
      await failureOf(send({ to: "550@example.com" }));
      await send({});
    }
    // Two, as a mail does not wait until a connection has been reset.
    assert.ok(server.connections <= 2, `${server.connections}`);
  });
});

Deno.test("mails share a few connections", async () => {
  await withServer({}, async (send, server) => {
    await Promise.all(Array.from({ length: 60 }, () => send({})));
    assert.equal(server.mails.length, 60);
    assert.ok(server.connections <= 5, `${server.connections}`);
  });
});

Deno.test("a pooled connection that the server had closed is replaced", async () => {
  await withScript({}, async (send, server) => {
    await send({});
    server.script.MAIL = null;
    const failing = server.hears("MAIL").then(() => void delete server.script.MAIL);
    await send({});
    await failing;
    assert.deepEqual([server.messages, server.connections], [2, 2]);
  });
});

for (const step of ["greeting", "EHLO", "MAIL", "DATA"] as const) {
  Deno.test(`an abort while the server keeps silent at ${step} closes the conversation`, async () => {
    await withScript({ [step]: "" }, async (send, server) => {
      const controller = new AbortController();
      const reason = new DOMException("cancelled", "AbortError");
      const heard = server.hears(step);
      const sending = send({ failSilently: true }, { signal: controller.signal });
      await heard;
      controller.abort(reason);
      await assert.rejects(sending, (error) => error === reason);
      while (server.open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(server.messages, 0);
    });
  });
}

Deno.test("an abort after the mail was handed over leaves its outcome unknown", async () => {
  await withScript({ message: "" }, async (send, server) => {
    const controller = new AbortController();
    const heard = server.hears("message");
    const sending = send({ failSilently: true }, { signal: controller.signal });
    await heard;
    controller.abort(new DOMException("timeout", "TimeoutError"));
    const failure = await failureOf(sending);
    assert.deepEqual([failure.code, failure.retryable], ["outcome_unknown", false]);
    assert.equal(server.messages, 1);
  });
});
