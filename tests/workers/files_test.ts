import assert from "node:assert/strict";
import { below, upload } from "../files.ts";
import { Service, type TaskView, until } from "../service.ts";

async function bytesOf(
  service: Service,
  path: string,
): Promise<{ status: number; text: string; type: string | null }> {
  const answer = await fetch(service.url + path);
  return { status: answer.status, text: await answer.text(), type: answer.headers.get("content-type") };
}

/** The ids in `DATA_DIR/files`. */
function kept(service: Service): string[] {
  return [...Deno.readDirSync(`${service.dataDir}/files/kept`)].map(({ name }) => name);
}

const named = (task: TaskView) =>
  task.result as { file: string; name?: string; contentType: string; size?: number };

for (const RUNNERS of ["on", "off"]) {
  Deno.test(`a file goes through a task as a stream, with RUNNERS=${RUNNERS}`, async () => {
    await using service = await Service.start({ RUNNERS });
    const quiet = await upload(service, "straße, é and 中\n".repeat(10_000), {
      "content-type": "text/plain; charset=utf-8",
      "content-disposition": "attachment; filename=quiet.txt",
    });
    const task = await service.run("shouts", { file: quiet.id });
    assert.equal(task.status, "succeeded", JSON.stringify(task.error));
    const loud = "STRASSE, É AND 中\n".repeat(10_000);
    const { file, ...about } = named(task);
    const size = new TextEncoder().encode(loud).length;
    assert.deepEqual(about, { name: "quiet.txt", contentType: "text/plain; charset=utf-8", size });
    const expected = { status: 200, text: loud, type: "text/plain; charset=utf-8" };
    assert.deepEqual(await bytesOf(service, `/v1/files/${file}`), expected);
    assert.deepEqual(await bytesOf(service, `/v1/tasks/${task.id}/result`), expected);
    await until("the runner's folder to be cleared", () => below(`${service.dataDir}/runs`).length === 0);
  });
}

Deno.test("what becomes of files", async (t) => {
  await using service = await Service.start({ FILE_MAX: "8MiB", RUNNER_IDLE: "1s" });
  const run = (way: string, more: Record<string, unknown> = {}, options: Record<string, unknown> = {}) =>
    service.run("file-ways", { way, ...more }, { maxAttempts: 1, ...options });
  const text = await upload(service, "hello", {
    "content-type": "text/plain",
    "content-disposition": "attachment; filename*=utf-8''h%C3%A9llo.txt",
  });
  const fails = async (code: string, way: string, more = {}, options = {}) => {
    const before = kept(service);
    const task = await run(way, more, options);
    assert.equal(task.error?.code, code, JSON.stringify(task));
    assert.deepEqual(kept(service), before, "nothing of it is kept");
    return task;
  };

  await t.step(
    "a handler learns all that is known of the files that its input names, wherever it does",
    async () => {
      const other = await upload(service, new Uint8Array());
      const { result } = await run("describe", { file: text.id.toUpperCase(), more: [{ file: other.id }] });
      assert.deepEqual(result, [
        { id: text.id, name: "héllo.txt", contentType: "text/plain", size: 5, text: "hello" },
        { id: other.id, contentType: "application/octet-stream", size: 0, text: "" },
      ]);
    },
  );
  await t.step("it can open no other file", async () => {
    await fails("file_missing", "open", { path: text.id });
    await fails("file_missing", "open", { path: "../../x" });
  });
  await t.step("an input that names what is not there is refused, with its place", async () => {
    const more = [{ file: text.id }, { file: crypto.randomUUID() }];
    const answer = await service.call("POST", "/v1/tasks", {
      type: "file-ways",
      input: { way: "quick", more },
    });
    const { code, errors } = await answer.json();
    assert.deepEqual([answer.status, code], [422, "validation-failed"]);
    assert.deepEqual(errors, [{
      pointer: "#/input/more/1/file",
      detail: "is not the id of a file of yours",
    }]);
    const tasks = [{ type: "file-ways", input: { way: "quick", file: more[1]!.file } }];
    const batch = await (await service.call("POST", "/v1/tasks/batch", { tasks })).json();
    assert.deepEqual(batch.errors?.map(({ pointer }: { pointer: string }) => pointer), [
      "#/tasks/0/input/file",
    ]);
  });
  await t.step("a result names several, or says more: then it is JSON", async () => {
    const task = await run("two");
    const [one, two] = task.result as { file: string }[];
    assert.equal((await bytesOf(service, `/v1/files/${one!.file}`)).text, "one");
    assert.equal((await bytesOf(service, `/v1/files/${two!.file}`)).text, "two");
    assert.equal((await bytesOf(service, `/v1/tasks/${task.id}/result`)).type, "application/json");
  });
  await t.step("only what the result names is kept", async () => {
    const before = kept(service).length;
    const task = await run("unnamed-besides");
    assert.equal((await bytesOf(service, `/v1/tasks/${task.id}/result`)).text, "kept");
    assert.equal(kept(service).length, before + 1);
  });
  await t.step("a library may write to a path instead", async () => {
    const task = await run("by-path");
    assert.deepEqual(await bytesOf(service, `/v1/tasks/${task.id}/result`), {
      status: 200,
      text: "by path",
      type: "text/plain",
    });
  });
  await t.step("names and types that a handler gives do no harm", async () => {
    const task = await run("names-it", { name: '../..\\a"\r\nset-cookie: b=c\u202e.txt' });
    const answer = await service.call("GET", `/v1/tasks/${task.id}/result`);
    assert.equal(await answer.text(), "x");
    assert.equal(answer.headers.get("set-cookie"), null);
    assert.equal(answer.headers.get("content-type"), "application/octet-stream");
    assert.equal(
      answer.headers.get("content-disposition"),
      `attachment; filename="a_set-cookie: b=c.txt"; filename*=UTF-8''a%22set-cookie%3A%20b%3Dc.txt`,
    );
  });
  await t.step("what was never written, or is no plain file, fails the task", async () => {
    await fails("invalid_result", "never-written");
    await fails("invalid_result", "folder");
  });
  await t.step("a task that fails, exits or is stopped leaves no file", async () => {
    await fails("handler_error", "then-throws");
    await fails("worker_exited", "then-exits");
    await fails("timeout", "then-hangs", {}, { timeout: "300ms" });
  });
  await t.step("too large is too large: written, by a path, and while it grows", async () => {
    await fails("result_too_large", "huge", { bytes: 9 * 2 ** 20 });
    await fails("result_too_large", "huge-by-path", { bytes: 2 ** 40 });
    const neighbour = await service.submit("file-ways", { way: "describe", file: text.id });
    await fails("result_too_large", "endless-by-path", {}, { timeout: "60s" });
    assert.equal((await service.final(neighbour)).status, "succeeded");
    const fits = await run("huge", { bytes: 8 * 2 ** 20 });
    assert.equal(named(fits).size, 8 * 2 ** 20);
  });
  await t.step("a run reads what it was given, writes where it should, and nothing else", async () => {
    const [stored] = below(`${service.dataDir}/files/kept/${text.id}`);
    await fails("permission_denied", "read", { path: stored });
    await fails("permission_denied", "read", { path: "/etc/passwd" });
    await fails("permission_denied", "list", { path: `${service.dataDir}/runs` });
    await fails("permission_denied", "write", { path: `${service.dataDir}/x` });
    await fails("permission_denied", "changes-input", { file: text.id });
    await fails("permission_denied", "symlink-itself", { path: "/etc/passwd" });
    await fails("permission_denied", "link-itself", { path: "/etc/passwd" });
    assert.equal((await bytesOf(service, `/v1/files/${text.id}`)).text, "hello");
  });
  await t.step("what is kept no longer changes", async () => {
    const task = await run("keeps-open");
    const { file } = named(task);
    const is = async () => (await bytesOf(service, `/v1/files/${file}`)).text;
    assert.equal(await is(), "as it was");
    // Its runner ends when it has been idle, so after the late write.
    await until("the runner's end", () => service.runners().length === 0);
    assert.equal(await is(), "as it was");
  });
  await t.step("runners' folders go with them", async () => {
    await until("the runners' end", () => service.runners().length === 0);
    await until("the folders' end", () => [...Deno.readDirSync(`${service.dataDir}/runs`)].length === 0);
  });
});

Deno.test("links, pipes and foreign folders are not taken for files", async () => {
  // Here a task can start a process with all rights, as one of a type that may load native code could.
  await using service = await Service.start({ RUNNERS: "off" });
  const { id } = await upload(service, "secret");
  const stored = `${service.dataDir}/files/kept/${id}/data`;
  const elsewhere = Deno.makeTempDirSync({ dir: service.dataDir });
  for (
    const [way, path] of [
      ["symlink", "/etc/passwd"],
      ["symlink", stored],
      ["hardlink", stored],
      ["pipe", ""],
      ["symlinked-folder", elsewhere],
    ] as const
  ) {
    const { error } = await service.run("file-ways", { way, path }, { maxAttempts: 1 });
    assert.equal(error?.code, "invalid_result", `${way}: ${JSON.stringify(error)}`);
  }
  assert.equal(below(elsewhere).length, 1, "what the link led to is still there");
  assert.deepEqual(kept(service), [id]);
});

Deno.test("DELETE of a task takes its files with it, and not those of its input", async () => {
  await using service = await Service.start();
  const given = await upload(service, "quiet");
  const task = await service.run("shouts", { file: given.id });
  const { file } = named(task);
  assert.equal((await bytesOf(service, `/v1/files/${file}`)).status, 200);
  assert.equal((await service.call("DELETE", `/v1/tasks/${task.id}`)).status, 204);
  assert.equal((await bytesOf(service, `/v1/files/${file}`)).status, 404);
  assert.equal((await bytesOf(service, `/v1/files/${given.id}`)).status, 200);
});

Deno.test("a file cannot be deleted under a task that waits for it", async () => {
  await using service = await Service.start();
  const { id } = await upload(service, "quiet");
  const task = await service.submit("shouts", { file: id }, { delay: "1h" });
  const refused = await service.call("DELETE", `/v1/files/${id}`);
  assert.deepEqual([refused.status, (await refused.json()).code], [409, "file-in-use"]);
  await service.cancel(task);
  assert.equal((await service.call("DELETE", `/v1/files/${id}`)).status, 204);
  // Its author changes his mind: the file is gone all the same.
  await (await service.call("POST", `/v1/tasks/${task}/retry`)).body?.cancel();
  const { error } = await service.final(task);
  assert.deepEqual([error?.code, error?.retryable], ["file_missing", false]);
});

Deno.test("what a service that was killed has left in hand is thrown away", async () => {
  await using service = await Service.start();
  await service.run("file-ways", { way: "two" });
  service.signal("SIGKILL");
  await service.program.ended;
  const { dataDir } = service;
  assert.notEqual([...Deno.readDirSync(`${dataDir}/runs`)].length, 0);
  Deno.mkdirSync(`${dataDir}/files/temp/x`);
  Deno.writeTextFileSync(`${dataDir}/files/temp/x/data`, "half a file");
  await using _ = await Service.start({ DATA_DIR: dataDir });
  assert.deepEqual(below(`${dataDir}/runs`), []);
  assert.deepEqual(below(`${dataDir}/files/temp`), []);
});
