import assert from "node:assert/strict";
import { brotliCompressSync, constants, deflateSync, gzipSync } from "node:zlib";
import { failureOf, raw, reach, serving } from "./servers.ts";

const MB = 1e6;
const encoded = (body: Uint8Array, encoding: string) =>
  new Response(new Uint8Array(body), { headers: { "content-encoding": encoding } });
const packers = { gzip: gzipSync, "x-gzip": gzipSync, deflate: deflateSync, br: brotliCompressSync };
/** A stream that never ends, as fast as it is read. */
const endless = (chunk: Uint8Array<ArrayBuffer>) =>
  new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(chunk) });

for (const [encoding, pack] of Object.entries(packers)) {
  Deno.test(`a body in ${encoding} is inflated`, async () => {
    const text = Array.from({ length: 50_000 }, (_, n) => `line ${n}`).join("\n");
    await serving(() => encoded(pack(text), encoding), async (origin) => {
      assert.equal(await (await reach(origin)).text(), text);
    });
  });
}

Deno.test("a bomb is defused: at the size limit, at the ratio, and without filling the memory", async () => {
  const zeros = new Uint8Array(200 * MB);
  const bombs = {
    gzip: gzipSync(zeros),
    br: brotliCompressSync(zeros, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  };
  for (const [encoding, bomb] of Object.entries(bombs)) {
    await serving(() => encoded(bomb, encoding), async (origin) => {
      const before = Deno.memoryUsage().rss;
      const bySize = await failureOf((await reach(origin, { maxBytes: 5 * MB, maxRatio: 1e9 })).bytes());
      assert.equal(bySize.code, "response_too_large");
      assert.match(bySize.message, /5000000 bytes/);
      const byRatio = await failureOf((await reach(origin, { maxBytes: 1e12, maxRatio: 50 })).bytes());
      assert.equal(byRatio.code, "response_too_large");
      assert.match(byRatio.message, /50 bytes for each/);
      assert.equal(byRatio.retryable, false);
      assert.ok(Deno.memoryUsage().rss - before < 100 * MB, "it was inflated all the same");
    });
  }
});

Deno.test("small bodies may be as repetitive as they like", async () => {
  await serving(() => encoded(gzipSync(new Uint8Array(MB)), "gzip"), async (origin) => {
    assert.equal((await (await reach(origin, { maxRatio: 2 })).bytes()).length, MB);
  });
});

Deno.test("a body that is too large is not read to its end, declared or not", async () => {
  await serving((_, { pathname }) => {
    if (pathname === "/declared") return new Response(new Uint8Array(2 * MB));
    return new Response(endless(new Uint8Array(65_536)));
  }, async (origin) => {
    for (const path of ["/declared", "/endless"]) {
      const answer = await reach(origin + path, { maxBytes: MB });
      assert.equal((await failureOf(answer.bytes())).code, "response_too_large");
    }
    assert.equal((await (await reach(`${origin}/declared`, { maxBytes: 2 * MB })).bytes()).length, 2 * MB);
  });
});

Deno.test("a body that cannot be inflated says so", async () => {
  const whole = gzipSync("x".repeat(1_000));
  await serving((_, { pathname }) => {
    if (pathname === "/corrupt") return encoded(new TextEncoder().encode("this is no gzip"), "gzip");
    if (pathname === "/cut") return encoded(whole.subarray(0, -12), "gzip");
    if (pathname === "/br") return encoded(new TextEncoder().encode("this is no brotli"), "br");
    return encoded(whole, pathname === "/twice" ? "gzip, gzip" : "zstd");
  }, async (origin) => {
    for (const path of ["/corrupt", "/cut", "/br", "/twice", "/unknown"]) {
      const { code, retryable } = await failureOf((await reach(origin + path)).bytes());
      assert.deepEqual([code, retryable], ["unsupported_format", false], path);
    }
  });
});

Deno.test("a byte now and then does not buy more time", async () => {
  await raw((socket) => {
    const timer = setInterval(() => socket.write("x"), 50);
    socket.on("close", () => clearInterval(timer));
    socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
  }, async (origin) => {
    const started = performance.now();
    const { code, retryable, message } = await failureOf(
      reach(origin, { timeout: 400 }).then((answer) => answer.text()),
    );
    assert.deepEqual([code, retryable], ["upstream_timeout", true]);
    assert.match(message, /^127\.0\.0\.1 had not answered in full after 400 ms/);
    assert.ok(performance.now() - started >= 390);
  });
});

for (
  const answer of ["", "HTTP/1.1 200 OK\r\nx-header: ", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab"]
) {
  Deno.test(`a server that falls silent after ${answer.split("\r\n").length - 1} lines ends by the timeout`, async () => {
    await raw((socket) => socket.write(answer), async (origin) => {
      const { code } = await failureOf(reach(origin, { timeout: 200 }).then((answer) => answer.text()));
      assert.equal(code, "upstream_timeout");
    });
  });
}

Deno.test("an answer that nobody reads is let go of", async () => {
  let gone = 0;
  const stream = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
      cancel: () => void gone++,
    });
  await serving(() => new Response(stream()), async (origin) => {
    await (await reach(origin)).body.cancel();
    const reader = (await reach(origin)).body.getReader();
    await reader.read();
    await reader.cancel();
    // Not even that: the deadline does it.
    await reach(origin, { timeout: 100 });
    while (gone < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

Deno.test("what is not asked for is not read", async () => {
  let sent = 0;
  const stream = () =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536));
      },
    }, { highWaterMark: 0 });
  await serving(() => new Response(stream()), async (origin) => {
    const reader = (await reach(origin, { maxBytes: 1e12 })).body.getReader();
    await reader.read();
    // What fits between two sockets, and not a byte more.
    let before = -1;
    while (before !== sent) {
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.ok(sent < 50 * MB, `${sent} bytes`);
    await reader.cancel();
  });
});
