import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { safeName } from "../../queue/files/names.ts";
import { attachment, nameIn } from "../../routes/disposition.ts";
import { rangeIn } from "../../routes/range.ts";
import { below, pieces, upload } from "../files.ts";
import { Service, until } from "../service.ts";
import { isProblem } from "./support.ts";

const TEXT = { "content-type": "text/plain", "content-disposition": 'inline; filename="notes.txt"' };
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

function post(
  service: Service,
  body: BodyInit | null,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${service.url}/v1/files`, { method: "POST", body, headers });
}

function get(
  service: Service,
  id: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<Response> {
  return fetch(`${service.url}/v1/files/${id}`, { method, headers });
}

/** Bytes as only a socket can send them; resolves to what came back until the server hung up or all is there. */
async function talk(service: Service, head: string[], body: string[] = []): Promise<string> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(service.url).port) });
  const request = ["POST /v1/files HTTP/1.1", "Host: localhost", ...head].join("\r\n") + "\r\n\r\n" +
    body.join("");
  const bytes = new TextEncoder().encode(request);
  // The server may answer and hang up before it was told everything.
  const writing = (async () => {
    for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at, at + 65_536));
  })().catch(() => {});
  let text = "";
  const buffer = new Uint8Array(65_536);
  while (!/\r\n\r\n[^]*\}$/.test(text)) {
    const count = await socket.read(buffer).catch(() => null);
    if (count === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  await writing;
  return text;
}

/** Nothing is stored, and nothing half-written is left. */
function isEmpty(service: Service): boolean {
  return below(`${service.dataDir}/files`).length === 0;
}

Deno.test("files over HTTP", async (t) => {
  await using service = await Service.start();
  const file = await upload(service, "0123456789", TEXT);

  await t.step("an upload is answered with all that is known of it", async () => {
    const answer = await post(service, "hello", TEXT);
    const body = await answer.json();
    assert.equal(answer.status, 201);
    assert.equal(answer.headers.get("location"), `/v1/files/${body.id}`);
    assert.deepEqual({ ...body, id: "", createdAt: "" }, {
      id: "",
      size: 5,
      contentType: "text/plain",
      sha256: sha256("hello"),
      name: "notes.txt",
      createdAt: "",
      links: { self: `/v1/files/${body.id}` },
    });
    assert.match(body.createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });
  await t.step("a download is the same bytes, and harmless to a browser", async () => {
    const page = await upload(service, "<script>alert(1)</script>", { "content-type": "text/html" });
    const answer = await get(service, page.id);
    assert.equal(await answer.text(), "<script>alert(1)</script>");
    const { headers } = answer;
    assert.deepEqual(
      ["content-type", "content-disposition", "content-security-policy", "x-content-type-options", "etag"]
        .map((name) => headers.get(name)),
      ["text/html", "attachment", "default-src 'none'; sandbox", "nosniff", `"${page.sha256}"`],
    );
  });
  await t.step("parts are 206, with their place; what lies behind the end is 416", async () => {
    const part = async (range: string, more = {}) => {
      const answer = await get(service, file.id, { range, ...more });
      return [answer.status, await answer.text(), answer.headers.get("content-range")];
    };
    assert.deepEqual(await part("bytes=2-4"), [206, "234", "bytes 2-4/10"]);
    assert.deepEqual(await part("bytes=7-"), [206, "789", "bytes 7-9/10"]);
    assert.deepEqual(await part("bytes=-3"), [206, "789", "bytes 7-9/10"]);
    assert.deepEqual(await part("bytes=0-999"), [206, "0123456789", "bytes 0-9/10"]);
    assert.deepEqual(await part("bytes=0-1,3-4"), [200, "0123456789", null]);
    assert.deepEqual(await part("lines=1-2"), [200, "0123456789", null]);
    assert.deepEqual(await part("bytes=2-4", { "if-range": `"${file.sha256}"` }), [
      206,
      "234",
      "bytes 2-4/10",
    ]);
    assert.deepEqual(await part("bytes=2-4", { "if-range": '"other"' }), [200, "0123456789", null]);
    const behind = await get(service, file.id, { range: "bytes=10-" });
    assert.equal(behind.headers.get("content-range"), "bytes */10");
    await isProblem(behind, "range-not-satisfiable");
  });
  await t.step("HEAD says the same without the bytes; If-None-Match is a 304", async () => {
    const head = await get(service, file.id, { range: "bytes=2-4" }, "HEAD");
    assert.deepEqual([head.status, await head.text(), head.headers.get("content-length")], [200, "", "10"]);
    assert.equal(head.headers.get("accept-ranges"), "bytes");
    for (const tag of [`"${file.sha256}"`, `"x", W/"${file.sha256}"`, "*"]) {
      const answer = await get(service, file.id, { "if-none-match": tag });
      assert.deepEqual([answer.status, await answer.text()], [304, ""]);
    }
    assert.equal(await (await get(service, file.id, { "if-none-match": '"x"' })).text(), "0123456789");
  });
  await t.step("no bytes are a file, too", async () => {
    const empty = await upload(service, new Uint8Array());
    const answer = await get(service, empty.id);
    assert.deepEqual([answer.status, await answer.text(), answer.headers.get("content-length")], [
      200,
      "",
      "0",
    ]);
    assert.equal(answer.headers.get("content-type"), "application/octet-stream");
    await isProblem(await get(service, empty.id, { range: "bytes=0-" }), "range-not-satisfiable");
  });
  await t.step("what is no file's id is a 404, byte for byte the same", async () => {
    const bodies = new Set<string>();
    for (const id of [crypto.randomUUID(), "x", "..%2f..%2fetc%2fpasswd", "%00"]) {
      for (const method of ["GET", "DELETE"]) {
        const answer = await get(service, id, { "x-request-id": "same" }, method);
        const body = await isProblem(answer, "file-not-found");
        bodies.add(JSON.stringify({ ...body, instance: "" }));
      }
    }
    assert.equal(bodies.size, 1);
  });
  await t.step("DELETE is a 204, and then it is gone", async () => {
    const { id } = await upload(service, "short-lived");
    assert.equal((await get(service, id, {}, "DELETE")).status, 204);
    await isProblem(await get(service, id), "file-not-found");
    await isProblem(await get(service, id, {}, "DELETE"), "file-not-found");
    assert.equal(below(`${service.dataDir}/files/kept/${id}`).length, 0);
  });
  await t.step("an encoded body and a type that is none are 415", async () => {
    await isProblem(await post(service, "x", { "content-encoding": "gzip" }), "unsupported-media-type");
    await isProblem(await post(service, "x", { "content-type": "nonsense" }), "unsupported-media-type");
  });
  await t.step("a download that is broken off is closed", async () => {
    const { id } = await upload(service, pieces(400));
    for (let i = 0; i < 20; i++) {
      const answer = await get(service, id);
      const reader = answer.body!.getReader();
      await reader.read();
      await reader.cancel();
    }
    const open = () =>
      [...Deno.readDirSync(`/proc/${service.pid}/fd`)].map(({ name }) => {
        try {
          return Deno.readLinkSync(`/proc/${service.pid}/fd/${name}`);
        } catch {
          return "";
        }
      });
    await until("the files to be closed", () => !open().some((path) => path.startsWith(service.dataDir)));
  });
});

Deno.test("uploads that go wrong leave nothing", async (t) => {
  await using service = await Service.start({
    FILE_MAX: "1MiB",
    FILES_MAX_BYTES: "1536KiB",
    BODY_TIMEOUT: "300ms",
  });

  await t.step("declared too large: 413 before a byte is read", async () => {
    const answer = await talk(service, ["Content-Length: 1048577"]);
    assert.match(answer, /^HTTP\/1\.1 413 [^]*body-too-large/);
  });
  await t.step("too large in chunks: 413 as soon as that is seen", async () => {
    await isProblem(await post(service, pieces(17)), "body-too-large");
    const lying = `${(2 ** 21).toString(16)}\r\n${"x".repeat(2 ** 20 + 1)}`;
    assert.match(await talk(service, ["Transfer-Encoding: chunked"], [lying]), /^HTTP\/1\.1 413 /);
  });
  await t.step("stalled: 408", async () => {
    const answer = await talk(service, ["Content-Length: 100"], ["begun"]);
    assert.match(answer, /^HTTP\/1\.1 408 [^]*request-timeout/);
  });
  await t.step("broken off by the client", async () => {
    for (const head of ["Content-Length: 100000", "Transfer-Encoding: chunked"]) {
      const socket = await Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(service.url).port) });
      const request = `POST /v1/files HTTP/1.1\r\nHost: localhost\r\n${head}\r\n\r\n${
        "5\r\nhello\r\n".repeat(100)
      }`;
      await socket.write(new TextEncoder().encode(request));
      await until("its begin", () => !isEmpty(service));
      socket.close();
      await until("its end", () => isEmpty(service));
    }
  });
  await t.step("no room: 507, and room again after a DELETE", async () => {
    const first = await upload(service, pieces(16));
    await isProblem(await post(service, pieces(9)), "insufficient-storage");
    await isProblem(await post(service, new Uint8Array(600_000)), "insufficient-storage");
    assert.equal((await get(service, first.id, {}, "DELETE")).status, 204);
    const second = await upload(service, pieces(9));
    assert.equal((await get(service, second.id, {}, "DELETE")).status, 204);
  });
  assert.ok(isEmpty(service));
});

Deno.test("a full disk is a 507, and the service goes on", async (t) => {
  const disk = Deno.makeTempDirSync({ prefix: "errand-test-" });
  const { success } = new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", "size=4m", "tmpfs", disk],
    stderr: "null",
  }).outputSync();
  // Without the rights to mount there is no disk small enough.
  await t.step({
    name: "on a disk of four megabytes",
    ignore: !success,
    fn: async () => {
      await using service = await Service.start({ DATA_DIR: disk });
      const { id } = await upload(service, "small");
      await isProblem(await post(service, pieces(100)), "insufficient-storage");
      assert.deepEqual(below(`${disk}/files/temp`), []);
      assert.equal(await (await get(service, id)).text(), "small");
      await upload(service, pieces(30));
      const task = await service.run("file-ways", { way: "huge", bytes: 4 * 2 ** 20 }, { maxAttempts: 1 });
      assert.deepEqual([task.error?.code, task.error?.retryable], ["insufficient_storage", true]);
      service.signal("SIGKILL");
      await service.program.ended;
    },
  });
  if (success) {
    await until("the disk to be let go", () => {
      return new Deno.Command("umount", { args: [disk], stderr: "null" }).outputSync().success;
    });
  }
  Deno.removeSync(disk, { recursive: true });
});

Deno.test("uploads survive a service that is killed; results of tasks that it forgot do not", async () => {
  await using service = await Service.start();
  const file = await upload(service, "kept", TEXT);
  const task = await service.run("shouts", { file: file.id });
  const { file: made } = task.result as { file: string };
  service.signal("SIGKILL");
  await service.program.ended;
  await using next = await Service.start({ DATA_DIR: service.dataDir });
  const answer = await get(next, file.id);
  assert.equal(await answer.text(), "kept");
  assert.deepEqual([answer.headers.get("etag"), answer.headers.get("content-disposition")], [
    `"${file.sha256}"`,
    'attachment; filename="notes.txt"',
  ]);
  await isProblem(await get(next, made), "file-not-found");
});

/** Megabytes of memory that are the process's own: pages of files that it has read do not count. */
function memory(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) / 1024;
}

/** What `work` has added to the memory of the process, at its peak. */
async function grown(service: Service, work: () => Promise<void>): Promise<number> {
  const before = memory(service.pid);
  let most = before;
  const looking = setInterval(() => most = Math.max(most, memory(service.pid)), 10);
  try {
    await work();
  } finally {
    clearInterval(looking);
  }
  return most - before;
}

Deno.test("an upload and a download of a gigabyte take no memory to speak of", async () => {
  await using service = await Service.start({ FILE_MAX: "2GiB" });
  let id = "";
  const up = await grown(service, async () => void ({ id } = await upload(service, pieces(16_384))));
  const down = await grown(service, async () => {
    let read = 0;
    for await (const piece of (await get(service, id)).body!) read += piece.length;
    assert.equal(read, 2 ** 30);
  });
  if (Deno.env.get("FIGURES")) console.log({ up, down });
  assert.ok(up < 32, `the upload took ${up.toFixed(1)} MB`);
  assert.ok(down < 32, `the download took ${down.toFixed(1)} MB`);
});

Deno.test("a flood of small chunks does not pile up: it is taken, or refused with 411", async () => {
  await using service = await Service.start();
  const chunk = `3e8\r\n${"x".repeat(1000)}\r\n`;
  const took = await grown(service, async () => {
    const answer = await talk(service, ["Transfer-Encoding: chunked"], [
      ...Array(50_000).fill(chunk),
      "0\r\n\r\n",
    ]);
    // Whoever still sends may find the connection gone before he reads the answer.
    assert.match(answer, /^(?:HTTP\/1\.1 (?:201|411) |$)/);
  });
  assert.ok(took < 64, `it took ${took.toFixed(1)} MB`);
  assert.equal((await upload(service, "next")).size, 4);
});

Deno.test("a name goes out and comes back unchanged, whatever it is", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
    const name = safeName(text);
    const header = attachment(name);
    assert.match(header, /^[ -~]*$/);
    assert.equal(nameIn(header), name);
  }));
});

Deno.test("names are found in what clients send", () => {
  const cases: [header: string | null, name: string | undefined][] = [
    [null, undefined],
    ["attachment", undefined],
    ["attachment; filename=plain.txt", "plain.txt"],
    ['inline; FILENAME="a \\"b\\".txt"; size=3', 'a "b".txt'],
    [`attachment; filename="fallback.txt"; filename*=UTF-8'en'%e2%82%ac.txt`, "€.txt"],
    [`attachment; filename="fallback.txt"; filename*=UTF-8''%ff`, "fallback.txt"],
    // UTF-8 as it stands, as curl sends it, and Latin-1.
    ['form-data; name="x"; filename="h\u00c3\u00a9.txt"', "hé.txt"],
    ['attachment; filename="h\u00e9.txt"', "hé.txt"],
    [';;;;filename=";', undefined],
  ];
  for (const [header, name] of cases) assert.equal(nameIn(header), name, String(header));
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => void nameIn(text)));
});

Deno.test("a range is what the same cut of an array is, or nothing", () => {
  const bound = fc.option(fc.nat(12), { nil: undefined });
  fc.assert(fc.property(bound, bound, fc.nat(10), (first, last, size) => {
    const range = rangeIn(`bytes=${first ?? ""}-${last ?? ""}`, size);
    if (first === undefined && last === undefined) return assert.equal(range, "all");
    if (first !== undefined && last !== undefined && last < first) return assert.equal(range, "all");
    const all = Array.from({ length: size }, (_, i) => i);
    const cut = first === undefined
      ? all.slice(Math.max(0, size - last!))
      : all.slice(first, (last ?? size) + 1);
    if (cut.length === 0) return assert.equal(range, "unsatisfiable");
    assert.deepEqual(range, { from: cut[0], to: cut.at(-1) });
  }));
  for (
    const odd of ["bytes", "bytes=", "bytes=a-b", "bytes=1--2", "bytes=1-2-3", "bytes=0-0,1-1", " bytes=1-2"]
  ) {
    assert.equal(rangeIn(odd, 10), "all", odd);
  }
});
