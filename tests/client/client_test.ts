import assert from "node:assert/strict";
import { ErrandProblem, UnsuccessfulTask } from "../../client/mod.ts";
import { type Served, served } from "./service.ts";

const withService = (use: (service: Served) => Promise<void>) => async () => {
  await using service = await served();
  await use(service);
};

const isProblem = (code: string, status: number) => (error: unknown) => {
  assert.ok(error instanceof ErrandProblem, String(error));
  assert.deepEqual([error.code, error.status], [code, status]);
  return true;
};

Deno.test(
  "a task is submitted, waited for, and its result given as its type says",
  withService(async (service) => {
    const task = await service.client().tasks.submit("sleep", { ms: 20 }, { metadata: { for: "a test" } });
    assert.ok(["queued", "running"].includes(task.status), task.status);
    const done = await task.wait({ timeout: 20_000 });
    assert.ok(done.status === "succeeded");
    assert.ok(done.result.sleptMs >= 19);
    assert.deepEqual([task.status, task.view.metadata], ["succeeded", { for: "a test" }]);
    assert.deepEqual(await task.result(), done.result);
    assert.deepEqual(await (await task.content()).json(), done.result);
  }),
);

Deno.test(
  "a task that fails is waited for all the same; its result is thrown, with code and message",
  withService(async (service) => {
    const task = await service.client().tasks.submit("fails", { message: "no luck" });
    const done = await task.wait();
    assert.ok(done.status === "failed");
    assert.deepEqual([done.error.code, done.error.message], ["handler_error", "no luck"]);
    await assert.rejects(task.result(), (error) => {
      assert.ok(error instanceof UnsuccessfulTask);
      assert.deepEqual([error.code, error.task.id], ["handler_error", task.id]);
      return /failed: handler_error: no luck/.test(error.message);
    });
    const again = await task.retry();
    assert.notEqual(again.status, "failed");
    assert.equal((await task.wait()).status, "failed");
  }),
);

Deno.test(
  "a cancelled task ends, and says so",
  withService(async (service) => {
    const task = await service.client().tasks.submit("sleep", { ms: 60_000 });
    await task.cancel();
    assert.equal((await task.wait()).status, "cancelled");
    await assert.rejects(task.result(), { name: "UnsuccessfulTask", code: "cancelled" });
    await task.delete();
    await assert.rejects(task.refresh(), isProblem("task-not-found", 404));
  }),
);

Deno.test(
  "waiting ends at its timeout and by its signal, and the task goes on",
  withService(async (service) => {
    const task = await service.client().tasks.submit("sleep", { ms: 60_000 });
    await assert.rejects(task.wait({ timeout: 30 }), { name: "TimeoutError" });
    await assert.rejects(task.wait({ signal: AbortSignal.abort(new Error("enough")) }), /enough/);
    const controller = new AbortController();
    const waiting = task.wait({ signal: controller.signal });
    controller.abort(new Error("enough, too"));
    await assert.rejects(waiting, /enough, too/);
    assert.ok(["queued", "running"].includes((await task.refresh()).status));
    await task.cancel();
  }),
);

Deno.test(
  "what the service refuses is a problem with a code, and a pointer to each fault",
  withService(async (service) => {
    const loose = service.loose();
    await assert.rejects(loose.tasks.submit("steps", { steps: "three", every: 0.5 }), (error) => {
      isProblem("validation-failed", 422)(error);
      const { errors, requestId, message } = error as ErrandProblem;
      assert.deepEqual(errors.map(({ pointer }) => pointer), ["#/input/steps", "#/input/every"]);
      assert.match(requestId!, /^[0-9a-f-]{36}$/);
      return /#\/input\/steps/.test(message);
    });
    await assert.rejects(loose.tasks.submit("nonsense", {}), isProblem("unknown-task-type", 422));
    await assert.rejects(loose.tasks.get("../../livez"), isProblem("task-not-found", 404));
  }),
);

Deno.test(
  "a list goes on over its pages, and may be left",
  withService(async (service) => {
    const client = service.client();
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.unshift((await client.tasks.submit("sleep", { ms: 0 }, { delay: "1h" })).id);
    }
    const since = new Date(Date.now() - 60_000);
    const listed = client.tasks.list({ status: ["scheduled", "failed"], createdAfter: since, pageSize: 2 });
    assert.deepEqual((await Array.fromAsync(listed)).map(({ id }) => id), ids);
    for await (const task of client.tasks.list({ type: "sleep", pageSize: 1 })) {
      assert.equal(task.id, ids[0]);
      break;
    }
    assert.deepEqual(await Array.fromAsync(client.tasks.list({ status: "failed" })), []);
    const one = await client.tasks.get(ids[0]!, { type: "sleep" });
    assert.equal(one.status, "scheduled");
  }),
);

Deno.test(
  "what a task has logged, and what types there are",
  withService(async (service) => {
    const client = service.client();
    const task = await client.tasks.submit("steps", { steps: 2, every: 1 });
    assert.deepEqual(await task.result(), { steps: 2 });
    assert.deepEqual((await task.logs()).map(({ message }) => message), ["step 1", "step 2"]);
    const types = await client.types();
    assert.ok(types.find(({ type }) => type === "steps")?.available);
  }),
);

Deno.test(
  "files go up from bytes, texts, blobs and streams, and come down whole or in part",
  withService(async (service) => {
    const { files } = service.client();
    const bytes = new TextEncoder().encode("some bytes");
    const contents = [
      bytes,
      "some bytes",
      new Blob([bytes]),
      ReadableStream.from([bytes.slice(0, 4), bytes.slice(4)]),
    ];
    for (const content of contents) {
      const { id, size } = await files.upload(content);
      assert.equal(size, 10);
      assert.equal(await (await files.download(id)).text(), "some bytes");
    }
    const named = await files.upload(new File([bytes], "übér 'x'.txt", { type: "text/plain" }));
    assert.deepEqual([named.name, named.contentType], ["übér 'x'.txt", "text/plain"]);
    assert.equal(await (await files.download(named.id, { range: "bytes=5-" })).text(), "bytes");
    await files.delete(named.id);
    await assert.rejects(files.download(named.id), isProblem("file-not-found", 404));
  }),
);

Deno.test(
  "a task is given a file and makes one",
  withService(async (service) => {
    const client = service.client();
    const { id } = await client.files.upload("what it says", { name: "a.txt", contentType: "text/plain" });
    const task = await client.tasks.submit("copies", { file: id });
    const { file, name } = await task.result();
    assert.equal(name, "copy of a.txt");
    assert.equal(await (await client.files.download(file)).text(), "what it says");
    const content = await task.content();
    assert.equal(content.headers.get("content-type"), "text/plain");
    assert.equal(await content.text(), "what it says");
  }),
);

Deno.test(
  "a batch is submitted as one, waited for, and followed by another task",
  withService(async (service) => {
    const client = service.client();
    const batch = await client.batches.submit([
      { type: "sleep", input: { ms: 1 } },
      { type: "fails", input: { message: "no" } },
    ], { then: { type: "steps", input: { steps: 1, every: 1 } } });
    assert.equal(batch.tasks?.length, 2);
    const { counts, size, then } = await batch.wait({ timeout: 20_000 });
    assert.deepEqual([size, counts.succeeded, counts.failed], [2, 1, 1]);
    assert.deepEqual(await (await client.tasks.get(then!, { type: "steps" })).result(), { steps: 1 });
    const members = await Array.fromAsync(client.tasks.list({ batch: batch.id }));
    assert.deepEqual(members.map(({ id }) => id).toSorted(), batch.tasks.toSorted());
    const heard = await Array.fromAsync(client.batches.get(batch.id).events());
    assert.equal(heard.at(-1)?.event, "batch.finished");

    const wrong = service.loose().batches.submit([
      { type: "sleep", input: { ms: 1 } },
      { type: "sleep", input: { ms: -1 } },
    ]);
    await assert.rejects(wrong, (error: ErrandProblem) => {
      return isProblem("validation-failed", 422)(error) && error.errors[0]!.pointer === "#/tasks/1/input/ms";
    });
  }),
);

Deno.test(
  "all of one's tasks can be followed at once",
  withService(async (service) => {
    const client = service.client();
    const seen: string[] = [];
    let id: string | undefined;
    for await (const { event, data } of client.events()) {
      seen.push(event);
      if (event === "tasks.counted") ({ id } = await client.tasks.submit("sleep", { ms: 1 }));
      if (event === "task.succeeded") {
        assert.equal(data.id, id);
        break;
      }
    }
    assert.equal(seen[0], "tasks.counted");
  }),
);
