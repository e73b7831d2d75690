import assert from "node:assert/strict";
import { type Bench, bench, type Setting } from "./support.ts";

/** Bodies as only a socket can send them. */
async function serving(setting: Setting, use: (talk: Talk, bench: Bench) => Promise<void>): Promise<void> {
  const served = bench(setting);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, served.app.fetch);
  const talk: Talk = async (head, body = [], { end = false } = {}) => {
    using socket = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
    const write = async (text: string) => {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
    };
    const reading = readAnswer(socket);
    // The server may answer and hang up before it was told everything.
    const writing = (async () => {
      await write(head.join("\r\n") + "\r\n\r\n");
      for (const part of body) await (typeof part === "number" ? pause(part) : write(part));
      if (end) await socket.closeWrite();
    })().catch(() => {});
    const answer = await reading;
    await writing;
    return answer;
  };
  try {
    await use(talk, served);
  } finally {
    await server.shutdown();
  }
}

type Talk = (head: string[], body?: (string | number)[], options?: { end?: boolean }) => Promise<Answer>;

interface Answer {
  /** `0` where the connection ended without one. */
  readonly status: number;
  readonly text: string;
}

/** Until a whole answer is there or the server hangs up. */
async function readAnswer(socket: Deno.Conn): Promise<Answer> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (true) {
    const count = await socket.read(buffer).catch(() => null);
    if (count !== null) text += new TextDecoder().decode(buffer.subarray(0, count));
    const length = /content-length: (\d+)/i.exec(text)?.[1];
    const body = text.split("\r\n\r\n")[1];
    if (count === null || (body !== undefined && body.length >= Number(length ?? 0))) {
      return { status: Number(/^HTTP\/1\.[01] (\d+)/.exec(text)?.[1] ?? 0), text };
    }
  }
}

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds));
const POST = ["POST /v1/tasks HTTP/1.1", "Host: errand", "Content-Type: application/json"];
const TASK = '{"type":"any","input":{}}';
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

Deno.test("a body in many chunks is one body", async () => {
  await serving({}, async (talk) => {
    const chunks = [...TASK].map(chunk);
    assert.equal((await talk([...POST, "Transfer-Encoding: chunked"], [...chunks, "0\r\n\r\n"])).status, 202);
  });
});

Deno.test("a body that comes slowly, but comes, is read", async () => {
  await serving({ limits: { bodyTimeout: 400 } }, async (talk) => {
    const chunks = (TASK.match(/.{1,5}/g) ?? []).flatMap((part) => [chunk(part), 150]);
    assert.equal((await talk([...POST, "Transfer-Encoding: chunked"], [...chunks, "0\r\n\r\n"])).status, 202);
  });
});

Deno.test("a body that stalls is given up with 408, declared, chunked or large", async () => {
  await serving({ limits: { bodyTimeout: 40 } }, async (talk) => {
    for (const framing of ["Content-Length: 25", "Transfer-Encoding: chunked", "Content-Length: 99999"]) {
      const start = framing.startsWith("T") ? chunk("{") : "{";
      const { status, text } = await talk([...POST, framing], [start]);
      assert.equal(status, 408, framing);
      assert.match(text, /request-timeout/);
      assert.equal(text.match(/connection: close/gi)?.length, 1, framing);
    }
  });
});

Deno.test("a body that stalls is given up soon after its time", async () => {
  const { app } = bench({ limits: { bodyTimeout: 1000 } });
  const body = new ReadableStream<Uint8Array>();
  const headers = { "content-type": "application/json" };
  const start = performance.now();
  const answer = await app.request("/v1/tasks", { method: "POST", headers, body });
  const took = performance.now() - start;
  assert.equal(answer.status, 408);
  assert.ok(took > 990, `${took} ms`);
});

Deno.test("stalled bodies do not keep others waiting", async () => {
  await serving({ limits: { bodyTimeout: 300 } }, async (talk) => {
    const stalled = Array.from({ length: 20 }, () => talk([...POST, "Content-Length: 25"], ["{"]));
    const first = await Promise.race([talk([...POST, `Content-Length: ${TASK.length}`], [TASK]), ...stalled]);
    assert.equal(first.status, 202);
    for (const { status } of await Promise.all(stalled)) assert.equal(status, 408);
  });
});

Deno.test("a body over the limit is a 413 before all of it was sent", async () => {
  await serving({ limits: { body: 1000 } }, async (talk) => {
    assert.equal((await talk([...POST, "Content-Length: 1000000000"], ["{"])).status, 413);
    const endless = Array.from({ length: 50 }, () => chunk(" ".repeat(1000)));
    for (const framing of ["Transfer-Encoding: chunked", "Content-Length: 1000000000"]) {
      const { status, text } = await talk([...POST, framing], endless);
      assert.equal(status, 413);
      assert.equal(text.match(/connection: close/gi)?.length, 1, framing);
    }
  });
});

Deno.test("a body that ends early or is framed wrongly is no 500 and no task", async () => {
  await serving({}, async (talk, { store, logged }) => {
    const broken: [string, string][] = [
      ["Content-Length: 100", TASK],
      ["Content-Length: 90000", TASK],
      ["Content-Length: -5", TASK],
      ["Content-Length: 5\r\nContent-Length: 25", TASK],
      ["Transfer-Encoding: chunked", `${chunk(TASK)}zz\r\n`],
      ["Transfer-Encoding: chunked", "1\r\n"],
      ["Transfer-Encoding: gzip, chunked", `1\r\n{\r\n0\r\n\r\n`],
    ];
    for (const [framing, body] of broken) {
      const { status } = await talk([...POST, framing], [body], { end: true });
      assert.ok(status === 0 || (status >= 400 && status < 500), `${framing}: ${status}`);
    }
    assert.deepEqual((await store.list("", { limit: 10 })).tasks, []);
    assert.deepEqual(logged, []);
  });
});

Deno.test("what follows a body shorter than it says is not part of the task", async () => {
  await serving({}, async (talk, { store }) => {
    const { status } = await talk([...POST, `Content-Length: ${TASK.length}`], [TASK + "trailing"]);
    assert.equal(status, 202);
    assert.equal((await store.list("", { limit: 10 })).tasks.length, 1);
  });
});

Deno.test("a host that is none is a 400, whatever it would make of the path", async () => {
  await serving({}, async (talk, { logged }) => {
    const get = (target: string, host: string) => talk([`GET ${target} HTTP/1.1`, `Host: ${host}`]);
    for (const host of ["%zz", "x/livez?", "x/livez#", "a@b", "a b", "x:y", "[::1", "[x]", "é", "x\\y"]) {
      const { status, text } = await get("/v1/tasks", host);
      assert.deepEqual([status, /"code":"(.*?)"/.exec(text)?.[1]], [400, "bad-request"], host);
    }
    for (const target of ["http://%zz/v1/tasks", "http://x?/v1/tasks", "http://a@b/livez"]) {
      assert.equal((await get(target, "errand")).status, 400, target);
    }
    for (const host of ["errand", "my_host.example.com:8000", "127.0.0.1:80", "[::1]:8000", "[FE80::1]"]) {
      assert.equal((await get("/v1/tasks?pageSize=1", host)).status, 200, host);
    }
    assert.equal((await talk(["GET /livez HTTP/1.0"])).status, 200);
    assert.deepEqual(logged, []);
  });
});

Deno.test("odd request lines are no 500", async () => {
  await serving({}, async (talk, { logged }) => {
    const lines = [
      "OPTIONS * HTTP/1.1",
      "GET http://other/livez HTTP/1.1",
      "GET /%ff%00 HTTP/1.1",
      "BREW /livez HTTP/1.1",
    ];
    for (const line of lines) {
      const { status } = await talk([line, "Host: errand"]);
      assert.ok(status < 500, `${line}: ${status}`);
    }
    assert.ok((await talk(["GET /nowhere HTTP/1.1"])).status < 500);
    assert.deepEqual(logged, []);
  });
});
