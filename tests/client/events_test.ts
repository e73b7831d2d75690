import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient, ErrandProblem, type TaskView } from "../../client/mod.ts";
import { served } from "./service.ts";

const view = (status: string, version: number, more = {}) =>
  ({ id: "1", type: "sleep", status, version, ...more }) as unknown as TaskView<{ sleptMs: number }>;
const event = (name: string, id: number, data: unknown) =>
  `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

interface Refusal {
  readonly status: number;
  readonly problem: string;
}

/** A service of one task whose connections break off; the texts are sent one a connection. */
async function brittle(...connections: (string | Refusal)[]) {
  const asked: (string | undefined)[] = [];
  const { promise: left, resolve: leave } = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    if (!request.url!.endsWith("/events")) return void response.end(JSON.stringify(view("running", 1)));
    asked.push(request.headers["last-event-id"]?.toString());
    const next = connections[asked.length - 1];
    if (next === undefined) return void response.writeHead(204).end();
    if (typeof next !== "string") {
      return void response.writeHead(next.status, { "content-type": "application/problem+json" }).end(
        next.problem,
      );
    }
    response.on("close", leave);
    response.writeHead(200, { "content-type": "text/event-stream" }).write(next, () => {
      // Without a last chunk, in the middle of whatever it is.
      if (asked.length < connections.length) setTimeout(() => response.destroy(), 20);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const client = createClient({ url: `http://127.0.0.1:${port}`, baseDelay: 1 });
  return {
    asked,
    /** When the reader has gone. */
    left,
    task: () => client.tasks.get("1", { type: "sleep" }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

Deno.test("a connection that breaks is made anew, behind the last event", async () => {
  await using service = await brittle(
    "retry: 5\n\n: hello\n\n" + event("task.updated", 2, view("running", 2)) + "id: 3\nevent: task.prog",
    event("task.progress", 3, view("running", 3, { progress: { current: 1 } })),
    event("task.log", 4, { at: "now", level: "info", message: "hi" }) +
      event("task.succeeded", 5, view("succeeded", 5, { result: { sleptMs: 1 } })),
  );
  const task = await service.task();
  const heard = await Array.fromAsync(task.events());
  assert.deepEqual(heard.map(({ event, id }) => [event, id]), [
    ["task.updated", "2"],
    ["task.progress", "3"],
    ["task.log", "4"],
    ["task.succeeded", "5"],
  ]);
  assert.deepEqual(service.asked, [undefined, "2", "3"]);
  assert.equal(task.status, "succeeded");
  assert.deepEqual(await task.result(), { sleptMs: 1 });
});

Deno.test("whoever has heard the last event is not sent it again", async () => {
  await using service = await brittle();
  const task = await service.task();
  assert.deepEqual(await Array.fromAsync(task.events({ lastEventId: "9" })), []);
  assert.deepEqual(service.asked, ["9"]);
});

Deno.test("a refusal ends the stream with its problem, and an abort with its reason", async () => {
  const problem = JSON.stringify({ code: "task-expired", title: "gone", status: 410 });
  await using service = await brittle(
    { status: 410, problem },
    event("task.updated", 2, view("running", 2)),
  );
  const task = await service.task();
  await assert.rejects(Array.fromAsync(task.events()), (error) => {
    return error instanceof ErrandProblem && error.code === "task-expired";
  });
  const controller = new AbortController();
  const reading = async () => {
    for await (const _ of task.events({ signal: controller.signal })) controller.abort(new Error("enough"));
  };
  await assert.rejects(reading(), /enough/);
});

Deno.test("who stops to listen closes the connection", async () => {
  await using service = await brittle(event("task.updated", 2, view("running", 2)));
  const task = await service.task();
  for await (const { id } of task.events()) {
    assert.equal(id, "2");
    break;
  }
  await service.left;
  assert.deepEqual(service.asked, [undefined]);
});

Deno.test("a task tells its progress, its log and its end, in order", async () => {
  await using service = await served();
  const task = await service.client().tasks.submit("steps", { steps: 3, every: 150 });
  const heard = await Array.fromAsync(task.events());
  assert.equal(heard.at(-1)!.event, "task.succeeded");
  const lines = heard.flatMap((one) => one.event === "task.log" ? one.data.message : []);
  assert.deepEqual(lines, ["step 1", "step 2", "step 3"]);
  const progress = heard.flatMap((one) =>
    one.event === "task.progress" ? one.data.progress?.current ?? [] : []
  );
  assert.deepEqual(progress.toSorted(), progress);
  assert.deepEqual(await task.result(), { steps: 3 });
});

Deno.test("waiting with onProgress hears each step once, and works for a task that has ended", async () => {
  await using service = await served();
  const task = await service.client().tasks.submit("steps", { steps: 4, every: 150 });
  const heard: number[] = [];
  const onProgress = ({ current }: { current: number }) => void heard.push(current);
  assert.equal((await task.wait({ onProgress })).status, "succeeded");
  assert.deepEqual([...new Set(heard)], heard);
  assert.equal(heard.at(-1), 4);
  assert.equal((await task.wait({ onProgress })).status, "succeeded");
  const same = await service.client().tasks.get(task.id);
  assert.deepEqual((await Array.fromAsync(same.events())).at(-1)?.event, "task.succeeded");
});
