/** The client on Node, bundled as a page would have it: types are gone, and nothing but web standards is left. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { served } from "./service.ts";

const run = promisify(execFile);
const CLIENT = fileURLToPath(new URL("../../client/mod.ts", import.meta.url));
const SCRIPT = `
  import { createClient, ErrandProblem } from "./client.mjs";
  const client = createClient({ url: process.argv[2] });
  const task = await client.tasks.submit("sleep", { ms: 5 });
  const { sleptMs } = await task.result({ timeout: 20_000 });
  const steps = await client.tasks.submit("steps", { steps: 3, every: 50 });
  const heard = [];
  const { status } = await steps.wait({ onProgress: ({ current }) => heard.push(current) });
  const file = await client.files.upload(new Blob(["from Node"], { type: "text/plain" }), { name: "ü.txt" });
  const text = await (await client.files.download(file.id)).text();
  const stream = await client.files.upload(new Blob(["streamed"]).stream());
  const refused = await client.tasks.submit("sleep", { ms: -1 }).catch((error) => error);
  const waiting = await client.tasks.submit("sleep", { ms: 60_000 });
  const late = await waiting.wait({ timeout: 20 }).catch((error) => error.name);
  await waiting.cancel();
  console.log(JSON.stringify({
    node: process.version, slept: sleptMs >= 4, status, last: heard.at(-1), text, size: stream.size, late,
    refused: refused instanceof ErrandProblem && refused.code,
  }));
`;

Deno.test("the client works on Node", async () => {
  await using service = await served();
  const folder = Deno.makeTempDirSync({ prefix: "errand-node-" });
  try {
    const bundle = ["bundle", "--quiet", "--platform=browser", "-o", `${folder}/client.mjs`, CLIENT];
    await run(Deno.execPath(), bundle);
    Deno.writeTextFileSync(`${folder}/script.mjs`, SCRIPT);
    const { stdout } = await run("node", [`${folder}/script.mjs`, service.url], { timeout: 60_000 });
    const { node, ...told } = JSON.parse(stdout);
    assert.ok(Number(node.slice(1).split(".")[0]) >= 20, node);
    assert.deepEqual(told, {
      slept: true,
      status: "succeeded",
      last: 3,
      text: "from Node",
      size: 8,
      late: "TimeoutError",
      refused: "validation-failed",
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
