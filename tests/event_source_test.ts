/** Streams of the real service, read by Deno's own EventSource, over connections that break off. */
import assert from "node:assert/strict";
import { CuttingProxy } from "./cutting_proxy.ts";
import { checkStory, STEPS, TOLD, type Told } from "./event_source.ts";
import { Service, until } from "./service.ts";

Deno.test("an EventSource follows a task over lost connections, until it is told to stay away", async () => {
  await using service = await Service.start();
  await using proxy = new CuttingProxy(service.url);
  const id = await service.submit("ticks", STEPS);
  const heard: Told[] = [];
  const source = new EventSource(`${proxy.url}/v1/tasks/${id}/events`);
  for (const name of TOLD) {
    source.addEventListener(
      name,
      ({ data, lastEventId }: MessageEvent) => heard.push({ name, data, id: lastEventId }),
    );
  }
  for (const steps of [2, 5]) {
    await until(
      `${steps} steps`,
      () => heard.some(({ data }) => data.includes(`step ${steps}`)) || undefined,
    );
    proxy.cut();
  }
  await until("the 204 behind the last event", () => source.readyState === source.CLOSED || undefined);
  checkStory(heard, id);
});

Deno.test("an EventSource gets along with a service that is replaced", async () => {
  await using first = await Service.start();
  await using proxy = new CuttingProxy(first.url);
  const id = await first.submit("sleep", { ms: 100 });
  const heard: string[] = [];
  const source = new EventSource(`${proxy.url}/v1/events`);
  source.addEventListener("tasks.counted", () => heard.push("tasks.counted"));
  source.addEventListener("task.succeeded", ({ data }: MessageEvent) => heard.push(JSON.parse(data).id));
  await until("the task's end", () => heard.includes(id) || undefined);
  first.signal("SIGTERM");
  assert.equal((await first.program.ended).code, 0);
  await using second = await Service.start();
  proxy.target = second.url;
  await until("another beginning", () => heard.at(-1) === "tasks.counted" || undefined);
  const later = await second.submit("sleep", { ms: 10 });
  await until("another task's end", () => heard.includes(later) || undefined);
  source.close();
});
