import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Webhook } from "standardwebhooks";
import definition from "../../tasks/deliver_webhook.ts";
import { Service } from "../service.ts";
import { contextFor, perform } from "./context.ts";
import { failureOf, raw, serving } from "./egress/servers.ts";

// Read once, by the first test that needs it.
Deno.env.set("EGRESS_ALLOW", "127.0.0.0/8,::1");
Deno.test.afterAll(() => Deno.env.delete("EGRESS_ALLOW"));

const SECRET = `whsec_${btoa("0123456789abcdefghijklmn")}`;
const BODY = '{"type":"task.succeeded","data":{"n":12345678901234567890,"s":"é 😀"}}';
const delivery = (url: string, more: Record<string, unknown> = {}) => ({
  url,
  id: "msg_1",
  event: "task.succeeded",
  body: BODY,
  ...more,
});
const deliver = (url: string, more: Record<string, unknown> = {}, context = contextFor()) =>
  perform(definition, delivery(url, more), context) as Promise<{ status: number; ms: number }>;

interface Received {
  headers: Record<string, string>;
  body: string;
  method: string;
}

/** A receiver that keeps what it is sent, and answers what it is told to. */
async function receiving(
  answer: (received: Received) => Response,
  test: (origin: string, received: Received[]) => Promise<void>,
  tls?: { key: string; cert: string },
): Promise<void> {
  const received: Received[] = [];
  await serving(
    async (request) => {
      const headers = Object.fromEntries(request.headers);
      received.push({ headers, method: request.method, body: await request.text() });
      return answer(received.at(-1)!);
    },
    (origin) => test(origin, received),
    tls,
  );
}

Deno.test("a webhook arrives as it was written, and the standard's own library accepts its signature", async () => {
  await receiving(() => new Response("thanks", { status: 202 }), async (origin, received) => {
    const context = contextFor();
    const { status, ms } = await deliver(`${origin}/hook?x=1`, { secret: SECRET, depth: 2 }, context);
    assert.equal(status, 202);
    assert.ok(ms >= 0);
    assert.match(context.logged[0]!, /^info: task\.succeeded to localhost:\d+: 202 in \d+ ms$/);
    const [{ headers, body, method }] = received as [Received];
    assert.deepEqual([method, body], ["POST", BODY]);
    assert.equal(headers["content-type"], "application/json");
    assert.equal(headers["webhook-id"], "msg_1");
    assert.equal(headers["errand-webhook-depth"], "2");
    assert.ok(Math.abs(Number(headers["webhook-timestamp"]) - Date.now() / 1000) < 60);
    new Webhook(SECRET).verify(body, headers);
    const other = new Webhook(`whsec_${btoa("another secret of 24 byte")}`);
    assert.throws(() => other.verify(body, headers), /No matching signature/);
    assert.throws(() => new Webhook(SECRET).verify(body.replace("é", "e"), headers), /No matching signature/);
    assert.throws(
      () => new Webhook(SECRET).verify(body, { ...headers, "webhook-id": "msg_2" }),
      /No matching/,
    );
  });
});

Deno.test("without a secret nothing is signed", async () => {
  await receiving(() => new Response(), async (origin, received) => {
    await deliver(origin);
    assert.equal(received.length, 1);
    assert.equal(received[0]!.headers["webhook-signature"], undefined);
  });
});

Deno.test("every attempt has the same webhook-id, and a signature of its own time", async () => {
  await receiving(() => new Response(), async (origin, received) => {
    const id = crypto.randomUUID();
    await deliver(origin, { secret: SECRET, id }, contextFor({ attempt: 1 }));
    await deliver(origin, { secret: SECRET, id }, contextFor({ attempt: 2 }));
    assert.deepEqual(received.map(({ headers }) => headers["webhook-id"]), [id, id]);
    for (const { body, headers } of received) new Webhook(SECRET).verify(body, headers);
  });
});

for (
  const [status, retryable, headers, retryAfter] of [
    [301, true, { location: "/elsewhere" }],
    [307, true, { location: "/elsewhere" }],
    [400, true, {}],
    [404, true, {}],
    [410, false, {}],
    [429, true, { "retry-after": "17" }, 17_000],
    [500, true, {}],
    [503, true, { "retry-after": new Date(Date.now() + 100_000).toUTCString() }],
    [503, true, { "retry-after": "soon" }],
  ] as const
) {
  const said = "retry-after" in headers
    ? ` with Retry-After: ${retryAfter ? headers["retry-after"] : "…"}`
    : "";
  Deno.test(`${status}${said} fails the attempt, and ${retryable ? "another follows" : "it is the last"}`, async () => {
    await receiving(() => new Response("no", { status, headers }), async (origin, received) => {
      const context = contextFor();
      const failure = await failureOf(deliver(origin, {}, context));
      assert.deepEqual([failure.code, failure.retryable], ["upstream_status", retryable]);
      assert.deepEqual(failure.details, { status });
      if (retryAfter) assert.equal(failure.retryAfter, retryAfter);
      else if ("retry-after" in headers && headers["retry-after"] !== "soon") {
        assert.ok(failure.retryAfter! > 90_000 && failure.retryAfter! <= 100_000);
      } else assert.equal(failure.retryAfter, undefined);
      assert.equal(received.length, 1, "a redirect is not followed");
      assert.match(context.logged[0]!, new RegExp(`^warn: task\\.succeeded to localhost:\\d+: .*${status}`));
    });
  });
}

Deno.test("2xx is delivered, whatever becomes of the rest of the answer", async () => {
  await raw((socket) => {
    socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nslo"));
  }, async (origin) => {
    assert.equal((await deliver(origin)).status, 200);
  });
});

Deno.test("receivers that are down, or whose certificate does not hold, are tried again", async () => {
  const down = await failureOf(deliver("http://127.0.0.1:1/"));
  assert.deepEqual([down.code, down.retryable], ["connect_failure", true]);
  const file = (name: string) => Deno.readTextFileSync(new URL(`certs/${name}`, import.meta.url));
  await receiving(() => new Response(), async (origin) => {
    const { code, retryable } = await failureOf(deliver(origin));
    assert.deepEqual([code, retryable], ["tls_failure", true]);
  }, { cert: file("localhost.crt"), key: file("localhost.key") });
});

Deno.test("a delivery that is cancelled stops, and says that it was", async () => {
  const controller = new AbortController();
  const reason = new DOMException("cancelled", "AbortError");
  await raw((socket) => socket.once("data", () => controller.abort(reason)), async (origin) => {
    const doing = deliver(origin, {}, contextFor({ signal: controller.signal }));
    await assert.rejects(doing, (error) => error === reason);
  });
});

for (
  const [what, more, message] of [
    ["a private address", { url: "http://10.0.0.1/" }, /not public/],
    ["a scheme that is not HTTP", { url: "file:///etc/passwd" }, /https:\/\//],
    ["a full stop in the id", { id: "a.b" }, /letters/],
    ["a line break in the id", { id: "a\nb" }, /letters/],
    ["an event that is none", { event: "task succeeded" }, /task\.succeeded/],
    ["a secret that is too short", { secret: `whsec_${btoa("short")}` }, /24 to 64 bytes/],
    ["a secret without its prefix", { secret: btoa("0123456789abcdefghijklmn") }, /whsec_/],
    ["a secret that is no base64", { secret: "whsec_0123456789abcdefghijklmnopqrstuvw!" }, /whsec_/],
    ["a fourth webhook in a row", { depth: 4 }, /<=3/],
  ] as const
) {
  Deno.test(`${what} is refused before anything is sent`, () => {
    const { error } = definition.input.safeParse(delivery("http://127.0.0.1/", more));
    assert.match(error?.issues[0]?.message ?? "nothing wrong", message);
  });
}

const ENV = {
  DENO_CERT: fileURLToPath(new URL("egress/certs/authority.crt", import.meta.url)),
  TASKS_DIR: fileURLToPath(new URL("egress/types", import.meta.url)),
};
const file = (name: string) => Deno.readTextFileSync(new URL(`egress/certs/${name}`, import.meta.url));
const tls = { cert: file("localhost.crt"), key: file("localhost.key") };

Deno.test("the service delivers from a runner, over TLS, until the receiver has taken it", async () => {
  await using service = await Service.start({ ...ENV, EGRESS_ALLOW: "127.0.0.0/8,::1" });
  let times = 0;
  const answer = () => new Response(null, { status: ++times < 3 ? 503 : 204 });
  await receiving(answer, async (origin, received) => {
    const input = delivery(`${origin}/hook`, { secret: SECRET });
    const { status, attempt, result } = await service.run("deliver-webhook", input);
    assert.deepEqual([status, attempt, (result as { status: number }).status], ["succeeded", 3, 204]);
    assert.equal(received.length, 3);
    for (const { body, headers } of received) new Webhook(SECRET).verify(body, headers);
  }, tls);
  // Nor is what is admitted behind the second wall.
  await serving(() => new Response("here"), async (url) => {
    assert.deepEqual((await service.run("reaches", { url })).result, { status: 200, text: "here" });
  });
});

Deno.test("what goes around the guard meets the second wall, and the guard itself is first at POST", async () => {
  await using service = await Service.start({ ...ENV, EGRESS_ALLOW: "" });
  const connections = await raw(() => {}, async (origin) => {
    const { port } = new URL(origin);
    for (const host of ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1"]) {
      const { error } = await service.run("reaches", { url: `http://${host}:${port}/` });
      assert.match(`${host}: ${error?.message}`, /Requires net access/);
    }
    const refused = await service.call("POST", "/v1/tasks", {
      type: "deliver-webhook",
      input: delivery(origin),
    });
    assert.equal(refused.status, 422);
    assert.match(JSON.stringify(await refused.json()), /#\/input\/url.*not public/);
  });
  assert.equal(connections, 0);
});
