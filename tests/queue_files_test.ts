import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { DiskFiles, type DiskFilesOptions } from "../queue/files/disk.ts";
import { FileError, type FileFault } from "../queue/files/files.ts";
import { mediaType, safeName } from "../queue/files/names.ts";
import type { Status, Task } from "../queue/task.ts";
import { below } from "./files.ts";

const DAY = 86_400_000;
const ADA = "ada";
const BOB = "bob";

/** Files in a folder of their own, a clock, and the tasks that are known. */
class Scene implements AsyncDisposable {
  readonly tasks = new Map<string, Partial<Task>>();
  now = Date.UTC(2030, 0, 1);
  files!: DiskFiles;
  #ids = 0;

  private constructor(readonly folder: string, readonly more: Partial<DiskFilesOptions>) {}

  static async open(more: Partial<DiskFilesOptions> = {}): Promise<Scene> {
    const scene = new Scene(Deno.makeTempDirSync({ prefix: "errand-test-" }), more);
    await scene.reopen();
    return scene;
  }

  async reopen(): Promise<void> {
    this.files?.close();
    this.files = await DiskFiles.open({
      folder: this.folder,
      fileMax: 1_000_000,
      maxBytes: 10_000_000,
      retention: 7 * DAY,
      tasks: { get: (owner, id) => Promise.resolve(this.tasks.get(`${owner}/${id}`) as Task | undefined) },
      newId: () => `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, "0")}`,
      now: () => this.now,
      ...this.more,
    });
  }

  task(id: string, status: Status, result?: string): void {
    this.tasks.set(`${ADA}/${id}`, { status, result });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.files.close();
    await Deno.remove(this.folder, { recursive: true }).catch(() => {});
  }
}

const utf8 = new TextEncoder();

async function* content(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(utf8.encode(text));
}

const put = ({ files }: Scene, text: string, about = {}) => files.put(ADA, content(text), about);

async function textOf({ files }: Scene, id: string): Promise<string | undefined> {
  const file = await files.get(ADA, id);
  return file && await new Response(await files.read(file)).text();
}

function fault(which: FileFault): (error: unknown) => boolean {
  return (error) => error instanceof FileError && error.fault === which;
}

Deno.test("what is put is kept, with all that was said of it, also over a restart", async () => {
  await using scene = await Scene.open();
  const file = await scene.files.put(ADA, content("one, ", "two, ", "", "three"), {
    name: "/home/ada/naïve.txt",
    contentType: "text/plain; charset=utf-8",
    size: 15,
  });
  assert.deepEqual(file, {
    id: file.id,
    owner: ADA,
    size: 15,
    contentType: "text/plain; charset=utf-8",
    sha256: createHash("sha256").update("one, two, three").digest("hex"),
    name: "naïve.txt",
    createdAt: scene.now,
  });
  await scene.reopen();
  assert.deepEqual(await scene.files.get(ADA, file.id), file);
  assert.equal(await textOf(scene, file.id), "one, two, three");
  const part = await scene.files.read(file, { from: 5, to: 7 });
  assert.equal(await new Response(part).text(), "two");
});

Deno.test("another owner's file is as one that never was", async () => {
  await using scene = await Scene.open();
  const { id } = await put(scene, "mine");
  assert.equal(await scene.files.get(BOB, id), undefined);
  assert.equal(await scene.files.link(BOB, id, `${scene.folder}/stolen`), undefined);
  assert.deepEqual(await scene.files.hold(BOB, "t", [id]), [id]);
  assert.equal(await scene.files.remove(BOB, id), false);
  assert.equal(await textOf(scene, id), "mine");
  assert.equal(await scene.files.remove(ADA, id), true);
  assert.deepEqual(below(scene.folder), []);
});

Deno.test("what breaks off, is too large or has no room leaves nothing, not even of the bound", async () => {
  await using scene = await Scene.open({ fileMax: 10, maxBytes: 25 });
  const broken = async function* () {
    yield utf8.encode("begun");
    await Promise.reject(new Error("the client has gone"));
  };
  for (let i = 0; i < 10; i++) {
    await assert.rejects(scene.files.put(ADA, broken(), {}), /the client has gone/);
    await assert.rejects(put(scene, "x".repeat(11)), fault("too-large"));
    await assert.rejects(put(scene, "", { size: 11 }), fault("too-large"));
  }
  assert.deepEqual(below(scene.folder), []);
  const [first] = [await put(scene, "x".repeat(10)), await put(scene, "x".repeat(10))];
  await assert.rejects(put(scene, "x".repeat(6)), fault("no-room"));
  await assert.rejects(put(scene, "", { size: 6 }), fault("no-room"));
  await scene.reopen();
  await assert.rejects(put(scene, "x".repeat(6)), fault("no-room"), "after a restart, too");
  await put(scene, "x".repeat(5));
  await scene.files.remove(ADA, first.id);
  await put(scene, "x".repeat(10));
});

Deno.test("a full disk leaves nothing half-written, and is written to again when there is room", async (t) => {
  const folder = Deno.makeTempDirSync({ prefix: "errand-test-" });
  const run = (command: string, ...args: string[]) => {
    try {
      return new Deno.Command(command, { args, stderr: "null" }).outputSync().success;
    } catch {
      return false;
    }
  };
  const mounted = run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder);
  // Without the rights to mount there is no disk small enough.
  await t.step({
    name: "on a disk of one megabyte",
    ignore: !mounted,
    fn: async () => {
      await using scene = await Scene.open({ folder: `${folder}/files`, fileMax: 1e9, maxBytes: 1e9 });
      const small = await put(scene, "x".repeat(500_000));
      for (let i = 0; i < 5; i++) await assert.rejects(put(scene, "x".repeat(900_000)), fault("no-room"));
      assert.deepEqual([...Deno.readDirSync(`${folder}/files/temp`)], []);
      assert.equal((await textOf(scene, small.id))?.length, 500_000);
      await scene.files.remove(ADA, small.id);
      await put(scene, "x".repeat(900_000));
    },
  });
  if (mounted) assert.ok(run("umount", folder));
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("an upload is kept while it is young, or while a task that was given it is known", async () => {
  await using scene = await Scene.open();
  const [unused, used] = [await put(scene, "1"), await put(scene, "2")];
  assert.deepEqual(await scene.files.hold(ADA, "t", [used.id]), []);
  scene.task("t", "scheduled");
  scene.now += 7 * DAY - 1;
  assert.equal(await scene.files.sweep(), 0);
  scene.now += 1;
  assert.equal(await scene.files.get(ADA, unused.id), undefined, "at once, and not with the next sweep");
  assert.equal(await scene.files.sweep(), 1);
  await scene.reopen();
  scene.now += 100 * DAY;
  scene.task("t", "failed");
  assert.equal(await scene.files.sweep(), 0, "it may be retried by hand");
  assert.equal(await textOf(scene, used.id), "2");
  scene.tasks.clear();
  assert.equal(await scene.files.sweep(), 1);
  assert.deepEqual(below(scene.folder), []);
});

Deno.test("a hold whose task is never accepted is forgotten; one that is just being accepted is not", async () => {
  await using scene = await Scene.open({ retention: 1 });
  const { id } = await put(scene, "x");
  await scene.files.hold(ADA, "t", [id]);
  scene.now += 1_000;
  assert.equal(await scene.files.sweep(), 0);
  await assert.rejects(scene.files.remove(ADA, id), fault("in-use"));
  scene.now += 60_000;
  assert.equal(await scene.files.sweep(), 1);
});

Deno.test("holding is all or nothing, and harmless to repeat", async () => {
  await using scene = await Scene.open();
  const { id } = await put(scene, "x");
  assert.deepEqual(await scene.files.hold(ADA, "t", [id, "none"]), ["none"]);
  assert.equal(await scene.files.remove(ADA, id), true);
  const other = await put(scene, "x");
  for (let i = 0; i < 3; i++) assert.deepEqual(await scene.files.hold(ADA, "t", [other.id]), []);
});

Deno.test("what a task has made is kept while it runs, and then where its result names it", async () => {
  await using scene = await Scene.open();
  scene.task("t", "running");
  const [named, unnamed] = [await put(scene, "1", { task: "t" }), await put(scene, "2", { task: "t" })];
  scene.now += 100 * DAY;
  assert.equal(await scene.files.sweep(), 0);
  await assert.rejects(scene.files.remove(ADA, named.id), fault("in-use"));
  scene.task("t", "succeeded", JSON.stringify([{ file: named.id }]));
  assert.equal(await scene.files.get(ADA, unnamed.id), undefined);
  assert.equal(await scene.files.sweep(), 1);
  assert.equal(await textOf(scene, named.id), "1");
  // Another task goes on with it.
  await scene.files.hold(ADA, "next", [named.id]);
  scene.tasks.clear();
  scene.task("next", "queued");
  scene.now += DAY;
  assert.equal(await textOf(scene, named.id), "1");
  scene.tasks.clear();
  assert.equal(await scene.files.get(ADA, named.id), undefined);
  assert.equal(await scene.files.sweep(), 1);
});

Deno.test("a file that is held while it is forgotten is either there or said to be missing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), fc.nat(3), async (scheduler, known) => {
      const tasks = {
        get: (_: string, id: string) => {
          const task = id === "holder" || known-- > 0 ? { status: "running" } as Task : undefined;
          return scheduler.schedule(Promise.resolve(task));
        },
      };
      await using scene = await Scene.open({ tasks });
      const { id } = await put(scene, "x", { task: "maker" });
      const racing = Promise.all([
        scene.files.hold(ADA, "holder", [id]),
        scene.files.sweep(),
        scene.files.remove(ADA, id).catch(() => false),
      ]);
      const [missing] = await scheduler.waitFor(racing);
      known = 0;
      const there = await scheduler.waitFor(scene.files.get(ADA, id)) !== undefined;
      assert.equal(there, missing.length === 0);
      assert.equal(below(scene.folder).length, there ? 3 : 0);
    }),
    { numRuns: 50 },
  );
});

Deno.test("links, folders, pipes and nothing are not adopted; what is adopted is a copy", async () => {
  await using scene = await Scene.open({ fileMax: 100 });
  const at = (name: string) => `${scene.folder}/${name}`;
  Deno.writeTextFileSync(at("plain"), "as it was");
  Deno.symlinkSync(at("plain"), at("symlink"));
  Deno.mkdirSync(at("folder"));
  Deno.writeTextFileSync(at("twice"), "x");
  Deno.linkSync(at("twice"), at("again"));
  new Deno.Command("mkfifo", { args: [at("pipe")] }).outputSync();
  for (const name of ["symlink", "folder", "twice", "again", "pipe", "none"]) {
    await assert.rejects(scene.files.adopt(ADA, at(name), {}), fault("not-a-file"), name);
  }
  const { id, size } = await scene.files.adopt(ADA, at("plain"), { task: "t" });
  scene.task("t", "running");
  Deno.writeTextFileSync(at("plain"), "AS IT IS!");
  assert.deepEqual([await textOf(scene, id), size], ["as it was", 9]);
  Deno.truncateSync(at("plain"), 2 ** 40);
  await assert.rejects(scene.files.adopt(ADA, at("plain"), {}), fault("too-large"));
});

Deno.test("an id that is taken is not taken again", async () => {
  await using scene = await Scene.open();
  const { id } = await put(scene, "first");
  await assert.rejects(scene.files.put(BOB, content("second"), { id }));
  assert.equal(await textOf(scene, id), "first");
});

Deno.test("a link shows the same bytes, and outlives the file", async () => {
  await using scene = await Scene.open();
  const { id } = await put(scene, "x");
  const path = `${scene.folder}/link`;
  assert.equal((await scene.files.link(ADA, id, path))?.id, id);
  await scene.files.remove(ADA, id);
  assert.equal(await Deno.readTextFile(path), "x");
});

Deno.test("what is foreign or broken in the folder is passed over", async () => {
  await using scene = await Scene.open();
  const { id } = await put(scene, "x");
  Deno.writeTextFileSync(`${scene.folder}/kept/stray`, "");
  Deno.mkdirSync(`${scene.folder}/kept/empty`);
  Deno.mkdirSync(`${scene.folder}/kept/broken`);
  Deno.writeTextFileSync(`${scene.folder}/kept/broken/meta.json`, "{");
  Deno.mkdirSync(`${scene.folder}/temp/half`);
  await scene.reopen();
  assert.equal(await textOf(scene, id), "x");
  assert.deepEqual(below(`${scene.folder}/temp`), []);
});

Deno.test("a safe name is one line of text, and no path", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
    const name = safeName(text);
    if (name === undefined) return;
    // deno-lint-ignore no-control-regex
    assert.doesNotMatch(name, /[/\\\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]|^\.*$/);
    assert.ok(name.isWellFormed() && name.length <= 255 && name === name.trim());
  }));
  for (const nothing of [undefined, "", ".", "..", "a/", "a\\..", " ", "\0"]) {
    assert.equal(safeName(nothing), undefined);
  }
  assert.equal(safeName("C:\\fakepath\\r\u202efdp.exe"), "rfdp.exe");
  assert.equal(safeName("x".repeat(254) + "😀")?.length, 254);
});

Deno.test("media types are told from other texts", () => {
  for (const type of ["text/plain", "image/svg+xml", 'a/b;c="d e"; f=g']) assert.equal(mediaType(type), type);
  const none = [
    "",
    "text",
    "text/",
    "/plain",
    "a/b\r\nset-cookie: c",
    "a/b, c/d",
    `a/${"b".repeat(300)}`,
    "a/é",
  ];
  for (const type of none) assert.equal(mediaType(type), undefined, type);
});
