import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Hono } from "hono";
import { createErrand } from "../../mod.ts";
import { Visitor } from "./browser.ts";

const CLIENT = fileURLToPath(new URL("../../client/mod.ts", import.meta.url));
const PAGE = `<!DOCTYPE html><link rel="icon" href="data:,"><script type="module">
  import { createClient } from "/client.js";
  const client = createClient({ url: "/background" });
  const heard = [];
  const task = await client.tasks.submit("steps", { steps: 3, every: 100 });
  const done = await task.wait({ onProgress: ({ current }) => heard.push(current) });
  const file = await client.files.upload(new File(["from a page"], "page.txt", { type: "text/plain" }));
  const text = await (await client.files.download(file.id)).text();
  document.title = JSON.stringify({ ...done.result, last: heard.at(-1), name: file.name, text });
</script>`;

Deno.test("a page uses the client: submits, watches the progress, uploads", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "errand-page-" });
  const bundle = ["bundle", "--quiet", "--platform=browser", "-o", `${folder}/client.js`, CLIENT];
  await promisify(execFile)(Deno.execPath(), bundle);
  const script = Deno.readTextFileSync(`${folder}/client.js`);
  await using errand = await createErrand({
    dataDir: folder,
    tasks: new URL("../client/tasks", import.meta.url),
  });
  const app = new Hono().route("/background", errand.app);
  app.get("/", (c) => c.html(PAGE));
  app.get("/client.js", (c) => c.body(script, 200, { "content-type": "text/javascript" }));
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, app.fetch);
  await using visitor = await Visitor.start(`http://127.0.0.1:${server.addr.port}`);
  assert.equal(await visitor.open("/"), 200);
  await visitor.page.waitForFunction("document.title !== ''");
  assert.deepEqual(JSON.parse(await visitor.page.title()), {
    steps: 3,
    last: 3,
    name: "page.txt",
    text: "from a page",
  });
  // The client hangs up behind the last event.
  assert.deepEqual(visitor.complaints.filter((one) => !/^failed: .*\/events$/.test(one)), []);
});
