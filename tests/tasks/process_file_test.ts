import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import definition from "../../tasks/process_file.ts";
import { upload } from "../files.ts";
import { Service } from "../service.ts";
import { serving } from "./egress/servers.ts";
import { failing, process } from "./table/processing.ts";

// Read once, by the first test that needs it.
Deno.env.set("EGRESS_ALLOW", "127.0.0.0/8,::1");
Deno.test.afterAll(() => Deno.env.delete("EGRESS_ALLOW"));

Deno.test("a file is converted: its name and its content type say from what, and the new one's to what", async () => {
  const json = '[\n{"a":"1","b":"x"}\n]\n';
  for (
    const [given, content] of [
      [{ name: "Report.2026.CSV" }, "a,b\n1,x"],
      [{ name: "data", contentType: "text/csv; charset=utf-8" }, "a,b\n1,x"],
      [{ name: "data.tab", contentType: "application/json" }, "a\tb\n1\tx"],
      [{ contentType: "application/x-ndjson" }, '{"a":"1","b":"x"}'],
    ] as const
  ) {
    const { text, made, rows } = await process(content, { to: "json" }, given);
    assert.deepEqual([text, rows], [json, 1]);
    assert.equal(made?.contentType, "application/json");
  }
  const { made } = await process("a\n1", { to: "ndjson" }, { name: "Report.2026.CSV" });
  assert.deepEqual(made, { name: "Report.2026.ndjson", contentType: "application/x-ndjson" });
  const failure = await failing("a\n1", { to: "json" }, { name: "data.bin" });
  assert.deepEqual([failure.code, failure.retryable], ["unsupported_format", false]);
});

Deno.test("an empty file is no table, and a header alone is one without rows", async () => {
  for (const from of ["csv", "tsv"]) {
    for (const content of ["", "\n\n"]) {
      assert.equal((await failing(content, { from, to: "json" })).code, "invalid_input");
    }
    assert.equal((await process("a", { from, to: "json" })).text, "[]\n");
  }
});

Deno.test("progress is told in bytes and rows", async () => {
  const csv = `a,b\n${"1,2\n".repeat(100_000)}`;
  const { context } = await process(csv, { from: "csv", to: "csv" });
  assert.ok(context.progressed.length > 3);
  assert.deepEqual(context.progressed.at(-1), {
    current: csv.length,
    total: csv.length,
    message: "100000 rows",
  });
});

Deno.test("a cancel ends it between two pieces", async () => {
  const reason = new DOMException("cancelled", "AbortError");
  const cancelled = process("a\n1", { from: "csv", to: "json" }, {}, AbortSignal.abort(reason));
  await assert.rejects(cancelled, (error) => error === reason);
});

Deno.test("a URL is read as a file is, inflated, by its name, its content type and its encoding", async () => {
  const latin = Uint8Array.from("name\nK\xf6ln\n", (character) => character.charCodeAt(0));
  await serving((_, { pathname }) => {
    if (pathname === "/missing.csv") return new Response("no", { status: 404 });
    if (pathname === "/busy.csv") return new Response("no", { status: 503, headers: { "retry-after": "7" } });
    const type = pathname.endsWith(".csv") ? "application/octet-stream" : "text/csv; charset=iso-8859-1";
    return new Response(new Uint8Array(gzipSync(pathname.endsWith(".csv") ? "name\nKöln\n" : latin)), {
      headers: { "content-type": type, "content-encoding": "gzip" },
    });
  }, async (origin) => {
    for (const path of ["/cities.csv", "/cities"]) {
      const { text, made } = await process("", { url: origin + path, to: "ndjson" });
      assert.deepEqual([text, made?.name], ['{"name":"Köln"}\n', "cities.ndjson"]);
    }
    const missing = await failing("", { url: `${origin}/missing.csv`, to: "json" });
    assert.deepEqual([missing.code, missing.retryable, missing.details], ["upstream_status", false, {
      status: 404,
    }]);
    const busy = await failing("", { url: `${origin}/busy.csv`, to: "json" });
    assert.deepEqual([busy.code, busy.retryable, busy.retryAfter], ["upstream_status", true, 7_000]);
  });
});

/** The most memory that a process has had, in MiB: proc_pid_status(5). */
function peakOf(pid: number): number {
  return Number(/VmHWM:\s*(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))![1]) / 1024;
}

const LINE = new TextEncoder().encode(`17,"a name, and more of it",12.50,2026-02-28,é\n`.repeat(1_000));

function csv(bytes: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let left = bytes;
  return new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("id,name,amount,day,x\n")),
    pull(controller) {
      if (left <= 0) return controller.close();
      left -= LINE.length;
      controller.enqueue(LINE);
    },
  });
}

Deno.test("a large file, and a line without end, take little memory, in a runner with the rights of its type", async (t) => {
  await using service = await Service.start({ EGRESS_ALLOW: "127.0.0.0/8", RUNNER_IDLE: "60s" });
  const within = (most: number) => {
    const [pid] = service.runners();
    const peak = peakOf(pid!);
    assert.ok(peak < most, `${peak} MiB`);
  };
  await t.step("64 MiB of CSV", async () => {
    const { id } = await upload(service, csv(64 * 2 ** 20), { "content-type": "text/csv" });
    const columns = ["id", { name: "amount", type: "number" }, "day"];
    const { result, error } = await service.run("process-file", {
      file: id,
      to: "ndjson",
      columns,
      summarize: true,
    });
    assert.equal(error, undefined, JSON.stringify(error));
    const { file, rows, summary } = result as {
      file: string;
      rows: number;
      summary: { columns: { mean?: number }[] };
    };
    assert.equal(rows, Math.ceil(64 * 2 ** 20 / LINE.length) * 1_000);
    assert.equal(summary.columns[1]!.mean, 12.5);
    const made = await service.call("GET", `/v1/files/${file}`);
    assert.equal(made.headers.get("content-type"), "application/x-ndjson");
    const [first] = (await made.text()).split("\n");
    assert.equal(first, '{"id":"17","amount":12.5,"day":"2026-02-28"}');
    within(300);
  });
  await t.step("a line without end", async () => {
    let sent = 0;
    await serving(() => {
      const piece = new Uint8Array(65_536).fill(97);
      return new Response(
        new ReadableStream({
          pull(controller) {
            sent += piece.length;
            controller.enqueue(piece);
          },
        }),
        { headers: { "content-type": "text/csv" } },
      );
    }, async (url) => {
      const { error } = await service.run("process-file", { url, to: "json" });
      assert.deepEqual([error?.code, error?.attempt, error?.retryable], ["invalid_input", 1, false]);
    });
    assert.ok(sent < 64 * 2 ** 20, `${sent}`);
    within(300);
  });
});

Deno.test("it may ask the network through the guard, and read no disk but its files", () => {
  assert.deepEqual(definition.permissions, { net: true });
});
