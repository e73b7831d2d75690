import { CuttingProxy } from "../cutting_proxy.ts";
import { checkStory, STEPS, TOLD, type Told } from "../event_source.ts";
import { Service, until } from "../service.ts";
import { Visitor } from "./browser.ts";

/** In the page: collects what an EventSource hears. */
const FOLLOW = `({ path, names }) => {
  window.heard = [];
  window.source = new EventSource(path);
  for (const name of names) {
    source.addEventListener(name, ({ data, lastEventId: id }) => heard.push({ name, data, id }));
  }
}`;

Deno.test("Chromium's EventSource follows a task over lost connections, until it is told to stay away", async () => {
  await using service = await Service.start();
  await using proxy = new CuttingProxy(service.url);
  await using visitor = await Visitor.start(proxy.url);
  const { page } = visitor;
  await visitor.open("/livez");
  const id = await service.submit("ticks", STEPS);
  await page.evaluate(`(${FOLLOW})(${JSON.stringify({ path: `/v1/tasks/${id}/events`, names: TOLD })})`);
  const heard = () => page.evaluate<Told[]>("heard");
  for (const steps of [2, 5]) {
    await until(
      `${steps} steps`,
      async () => (await heard()).some(({ data }) => data.includes(`step ${steps}`)) || undefined,
    );
    proxy.cut();
  }
  await until(
    "the 204 behind the last event",
    async () => await page.evaluate("source.readyState === EventSource.CLOSED") || undefined,
  );
  checkStory(await heard(), id);
});
