import assert from "node:assert/strict";
import { Service } from "../service.ts";
import { Visitor } from "./browser.ts";

Deno.test("/docs shows the API and tries it out, under its policy, without asking any other server", async () => {
  await using service = await Service.start();
  await using visitor = await Visitor.start(service.url);
  const { page } = visitor;
  assert.equal(await visitor.open("/docs"), 200);
  await page.getByText("/v1/tasks/{id}/cancel", { exact: false }).first().waitFor();
  assert.match(await page.locator(".title").first().innerText(), /^Errand\s/);
  visitor.content();

  // The style sheet is in effect: operations are coloured by method.
  const badge = "#operations-tasks-submitTask .opblock-summary-method";
  assert.equal(await visitor.style(badge, "backgroundColor"), "rgb(73, 204, 144)");

  const operation = page.locator("#operations-service-isAlive");
  await operation.locator(".opblock-summary").click();
  await operation.getByRole("button", { name: "Try it out" }).click();
  await operation.getByRole("button", { name: "Execute" }).click();
  await operation.locator(".live-responses-table").getByText('"ok"').first().waitFor();
  visitor.content();
});

Deno.test("/docs shows what a task type's input is made of, and submits a task", async () => {
  await using service = await Service.start();
  await using visitor = await Visitor.start(service.url);
  const { page } = visitor;
  await visitor.open("/docs");
  const submit = page.locator("#operations-tasks-submitTask");
  await submit.locator(".opblock-summary").click();
  await submit.getByRole("button", { name: "Try it out" }).click();
  const body = submit.locator("textarea.body-param__text");
  const example = JSON.parse(await body.inputValue());
  assert.ok(example.type && example.input, JSON.stringify(example));
  // What it cannot find in the document it tells in a box of its own.
  assert.equal(await page.locator(".errors-wrapper").count(), 0);

  await body.fill('{"type": "sleep", "input": {"ms": 1}}');
  await submit.getByRole("button", { name: "Execute" }).click();
  await submit.locator(".live-responses-table").getByText('"queued"').first().waitFor();
  const { tasks } = await (await service.call("GET", "/v1/tasks")).json();
  assert.deepEqual(tasks.map(({ type }: { type: string }) => type), ["sleep"]);
  visitor.content();
});

Deno.test("the problems' pages and the index can be read and walked through", async () => {
  await using service = await Service.start();
  await using visitor = await Visitor.start(service.url);
  const { page } = visitor;
  assert.equal(await visitor.open("/"), 200);
  await page.getByRole("link", { name: "/problems" }).click();
  await page.getByRole("link", { name: "queue-full" }).click();
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "The queue is full");
  assert.equal(new URL(page.url()).pathname, "/problems/queue-full");
  assert.equal(
    await visitor.style("body", "maxWidth"),
    "704px",
  );
  await page.getByRole("link", { name: "All problems" }).click();
  await page.getByRole("heading", { name: "Problems" }).waitFor();
  visitor.content();
});
