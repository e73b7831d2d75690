import { deepEqual, equal, ok } from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import { claimed, created, succeeded } from "../../queue/task.ts";
import { deliveries } from "../../routes/webhooks.ts";
import { Service, until } from "../service.ts";
import { serving } from "../tasks/egress/servers.ts";
import { createAdmit } from "../../routes/admit.ts";
import { bearer, KeyFile } from "./key_file.ts";
import { bench, isProblem, post } from "./support.ts";

const SECRET = `whsec_${btoa("0123456789abcdefghijklmn")}`;
const ALLOWED = { EGRESS_ALLOW: "127.0.0.0/8,::1" };

interface Received {
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** A receiver, and a service that may reach it. */
async function receiving(
  answer: (received: Received) => Response,
  test: (service: Service, url: string, received: Received[]) => Promise<void>,
): Promise<void> {
  const received: Received[] = [];
  await serving(async (request) => {
    received.push({ headers: Object.fromEntries(request.headers), body: await request.text() });
    return answer(received.at(-1)!);
  }, async (origin) => {
    await using service = await Service.start(ALLOWED);
    await test(service, `${origin}/hook`, received);
  });
}

Deno.test("a webhook tells of a task's end, signed, in the shape that clients see", async () => {
  await receiving(() => new Response(), async (service, url, received) => {
    const id = await service.submit("sleep", { ms: 1 }, { webhook: { url, secret: SECRET } });
    await until("the webhook", () => received[0]);
    const [{ headers, body }] = received as [Received];
    new Webhook(SECRET).verify(body, headers);
    const told = JSON.parse(body);
    deepEqual([told.type, told.data.id, told.data.status], ["task.succeeded", id, "succeeded"]);
    deepEqual(told.data.webhook, { url });
    const { deliveries } = await (await service.call("GET", `/v1/tasks/${id}/deliveries`)).json() as {
      deliveries: { id: string; parent: string; type: string }[];
    };
    deepEqual(deliveries.map(({ parent, type }) => [parent, type]), [[id, "deliver-webhook"]]);
    const text = JSON.stringify([deliveries, await service.get(id)]);
    equal(text.includes(SECRET), false);

    // Once more by hand, under the same id.
    const path = `/v1/tasks/${id}/deliveries/${deliveries[0]!.id}/redeliver`;
    const again = await fetch(service.url + path, { method: "POST" });
    equal(again.status, 202);
    await again.body?.cancel();
    await until("the webhook again", () => received[1]);
    equal(received[1]!.headers["webhook-id"], headers["webhook-id"]);
    equal(received[1]!.body, body);
  });
});

Deno.test("a webhook is tried again until it is taken, and only for the events that were asked for", async () => {
  let calls = 0;
  await receiving(
    () => new Response(null, { status: ++calls === 1 ? 503 : 204 }),
    async (service, url, received) => {
      const webhook = { url, events: ["task.failed"] };
      await service.run("sleep", { ms: 1 }, { webhook });
      const cancelled = await service.submit("sleep", { ms: 1 }, {
        delay: "1h",
        webhook: { ...webhook, events: ["task.cancelled"] },
      });
      await (await fetch(`${service.url}/v1/tasks/${cancelled}/cancel`, { method: "POST" })).body?.cancel();
      await until("the second try", () => received[1]);
      deepEqual(received.map(({ body }) => JSON.parse(body).type), ["task.cancelled", "task.cancelled"]);
      equal(received[0]!.headers["webhook-id"], received[1]!.headers["webhook-id"]);
    },
  );
});

const WEBHOOK = { type: "any", input: 1, webhook: { url: "https://example.com/" } };

for (
  const url of [
    "http://127.0.0.1/",
    "http://localhost:8000/",
    "http://169.254.169.254/latest",
    "http://[::1]/",
    "http://0x7f.1/",
    "file:///etc/passwd",
    "https://user:secret@example.com/",
    "no url",
  ]
) {
  Deno.test(`a webhook to ${url} is refused`, async () => {
    const answer = await post(bench().app, { ...WEBHOOK, webhook: { url } });
    const { errors } = await isProblem(answer, "target-not-allowed");
    equal(errors?.[0]?.pointer, "#/webhook/url");
    equal(JSON.stringify(errors).includes("secret"), false);
  });
}

Deno.test("webhooks that lead to webhooks end at the third", async () => {
  const { app } = bench();
  const answers = await Promise.all(
    ["0", "1", "2", "3", "99"].map((depth) => post(app, WEBHOOK, { "errand-webhook-depth": depth })),
  );
  deepEqual(answers.map(({ status }) => status), [202, 202, 202, 422, 422]);
  // Without a webhook of its own it makes no loop longer.
  equal((await post(app, { type: "any", input: 1 }, { "errand-webhook-depth": "3" })).status, 202);
  await isProblem(await post(app, WEBHOOK, { "errand-webhook-depth": "x" }), "bad-request");
});

Deno.test("a result that would make a webhook large is left out of it", () => {
  const now = Date.UTC(2030, 0, 1);
  const follow = deliveries({ newId: () => "d", now: () => now, maxAttempts: 1, timeout: 1 });
  const task = created({
    id: "01a20270-0000-7000-8000-000000000000",
    type: "any",
    owner: "ann",
    input: "1",
    priority: 0,
    maxAttempts: 1,
    timeout: 1,
    extras: { webhook: { url: "https://example.com/" } },
  }, now);
  for (const [size, told] of [[10, true], [20_000, false]] as const) {
    const ended = succeeded(claimed(task, now), JSON.stringify("x".repeat(size)), now);
    const { body } = JSON.parse(follow(ended)!.input);
    const { data } = JSON.parse(body);
    deepEqual([data.status, "result" in data], ["succeeded", told]);
  }
});

Deno.test("what is wrong with a webhook is named", async () => {
  const { app } = bench();
  const url = "https://example.com/";
  for (
    const [webhook, pointer] of [
      [{}, "#/webhook/url"],
      [{ url, events: [] }, "#/webhook/events"],
      [{ url, events: ["task.born"] }, "#/webhook/events/0"],
      [{ url, secret: "short" }, "#/webhook/secret"],
      [{ url, more: 1 }, "#/webhook/more"],
    ] as const
  ) {
    const { errors } = await isProblem(await post(app, { ...WEBHOOK, webhook }), "validation-failed");
    equal(errors?.[0]?.pointer, pointer);
  }
});

Deno.test("deliveries of an unknown task, and of another task, are 404", async () => {
  const { app } = bench();
  const [one, two] = await Promise.all(
    [post(app, WEBHOOK), post(app, WEBHOOK)].map(async (answer) => (await (await answer).json()).id),
  );
  const unknown = "01a20270-0000-7000-8000-000000000000";
  await isProblem(await app.request(`/v1/tasks/${unknown}/deliveries`), "task-not-found");
  const path = `/v1/tasks/${one}/deliveries/${two}/redeliver`;
  await isProblem(await app.request(path, { method: "POST" }), "task-not-found");
  const { deliveries } = await (await app.request(`/v1/tasks/${one}/deliveries`)).json();
  ok(Array.isArray(deliveries) && deliveries.length === 0);
});

Deno.test("tasks that name no webhook have the one of their key, which nobody sees the secret of", async () => {
  using file = new KeyFile();
  const url = "https://example.com/default";
  const key = file.add("ada", "--webhook", url, "--webhook-secret", SECRET);
  const plain = file.add("ada");
  const { app, store } = bench({ admit: createAdmit(file.ring(), Date.now) });
  const submit = async (key: string, more: Record<string, unknown> = {}) => {
    const task = await (await post(app, { type: "any", input: 1, ...more }, bearer(key))).json();
    return { shown: task.webhook, kept: (await store.get("ada", task.id))?.extras?.webhook };
  };
  deepEqual(await submit(key), { shown: { url }, kept: { url, events: undefined, secret: SECRET } });
  deepEqual((await submit(key, { webhook: { url: "https://example.com/own" } })).shown, {
    url: "https://example.com/own",
  });
  deepEqual(await submit(plain), { shown: undefined, kept: undefined });
  equal(file.run("list").includes(SECRET), false);
  await isProblem(
    await post(app, { type: "any", input: 1 }, { ...bearer(key), "errand-webhook-depth": "3" }),
    "validation-failed",
  );
});
