import assert from "node:assert/strict";
import { type FetchOptions, guardedFetch, parseAllowList } from "../../../tasks/mod.ts";
import { connect } from "../../../tasks/lib/egress/connect.ts";
import { AllowList } from "../../../tasks/lib/egress/allow.ts";
import { failureOf, LOOPBACK, raw, reach, serving } from "./servers.ts";

const file = (path: string) => Deno.readTextFileSync(new URL(path, import.meta.url));
const selfSigned = { cert: file("../certs/localhost.crt"), key: file("../certs/localhost.key") };
/** Signed by an authority of the tests' own, for `localhost`, until 2126. */
const signed = { cert: file("certs/localhost.crt"), key: file("certs/localhost.key") };

Deno.test("a request arrives as it was made, and its answer comes back", async () => {
  await serving(async (request, { pathname, search }) => {
    const { method, headers } = request;
    const asked = { method, path: pathname + search, headers: [...headers], body: await request.text() };
    return Response.json(asked, { status: 418, headers: { "x-answer": "é".length.toString() } });
  }, async (origin) => {
    const answer = await reach(`${origin}/a%20b?c=d#e`, {
      method: "PUT",
      headers: { "X-Mine": "1", host: "evil.example", connection: "upgrade", "content-length": "3" },
      body: "grüße",
    });
    assert.deepEqual([answer.status, answer.url], [418, `${origin}/a%20b?c=d#e`]);
    assert.equal(answer.headers.get("x-answer"), "1");
    const { headers, ...asked } = JSON.parse(await answer.text());
    assert.deepEqual(asked, { method: "PUT", path: "/a%20b?c=d", body: "grüße" });
    const sent = new Headers(headers);
    assert.equal(sent.get("host"), new URL(origin).host);
    assert.equal(sent.get("x-mine"), "1");
    assert.equal(sent.get("content-length"), "7");
    assert.equal(sent.get("connection"), "close");
    assert.equal(sent.get("user-agent"), "errand");
    assert.match(sent.get("accept-encoding")!, /gzip/);
  });
});

Deno.test("answers without a body, and those to HEAD, end at once", async () => {
  await serving((_, { pathname }) => {
    if (pathname === "/204") {
      return new Response(null, { status: 204, headers: { "content-encoding": "gzip" } });
    }
    return new Response("x".repeat(2_000));
  }, async (origin) => {
    assert.equal((await (await reach(`${origin}/204`)).bytes()).length, 0);
    const head = await reach(origin, { method: "HEAD", maxBytes: 10 });
    assert.equal(head.headers.get("content-length"), "2000");
    assert.equal(await head.text(), "");
  });
});

Deno.test("no packet leaves for a target that is not admitted", async () => {
  const connections = await raw(() => {}, async (origin) => {
    const { port } = new URL(origin);
    for (
      const host of ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0", "127.1"]
    ) {
      const { code, retryable } = await failureOf(
        guardedFetch(`http://${host}:${port}/`, { allow: AllowList.NOTHING }),
      );
      assert.deepEqual([code, retryable], ["egress_blocked", false], host);
    }
  });
  assert.equal(connections, 0);
});

Deno.test("a name is connected to at the address that was checked, and asked for once", async () => {
  const signal = new AbortController().signal;
  const connections = await raw(() => {}, async (origin) => {
    const url = new URL(origin);
    url.hostname = "rebinding.example";
    const answers = [
      ["192.0.2.1"],
      ["127.0.0.1"],
      ["::ffff:127.0.0.1", "169.254.169.254"],
      ["fe80::1%lo"],
      [],
    ];
    for (const addresses of answers) {
      const failure = await failureOf(
        connect(url, AllowList.NOTHING, signal, () => Promise.resolve(addresses)),
      );
      assert.equal(failure.code, addresses.length > 0 ? "egress_blocked" : "dns_failure");
      assert.doesNotMatch(failure.message, /127|169/, "what a name leads to inside is nobody's business");
    }
    // First one that passes, then one that would not.
    let asked = 0;
    const only = parseAllowList("127.0.0.1")!;
    const rebinding = () => Promise.resolve(asked++ === 0 ? ["10.0.0.1", "127.0.0.1"] : ["127.0.0.2"]);
    (await connect(url, only, signal, rebinding)).destroy();
    assert.equal(asked, 1);
    assert.equal((await failureOf(connect(url, only, signal, rebinding))).code, "egress_blocked");
  });
  assert.equal(connections, 1);
});

Deno.test("an address that refuses does not keep the next one from being tried", async () => {
  await raw(() => {}, async (origin) => {
    const url = new URL(origin);
    const both = () => Promise.resolve(["::1", "127.0.0.1"]);
    (await connect(new URL(url), LOOPBACK, new AbortController().signal, both).catch(() => assert.fail()))
      .destroy();
  });
});

Deno.test("redirects are followed, five of them, and each is checked", async () => {
  await serving((_, { pathname }) => {
    const left = Number(pathname.slice(1));
    if (pathname === "/inside") return Response.redirect("http://169.254.169.254/latest/", 302);
    if (pathname === "/file") {
      return new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } });
    }
    if (pathname === "/user") return Response.redirect("http://user:secret@localhost/", 302);
    if (pathname === "/broken") return new Response(null, { status: 302, headers: { location: "http://[" } });
    if (pathname === "/nowhere") return new Response("as it is", { status: 302 });
    return left > 0
      ? new Response(null, { status: 302, headers: { location: `/${left - 1}` } })
      : new Response("there");
  }, async (origin) => {
    const answer = await reach(`${origin}/5`);
    assert.deepEqual([answer.url, await answer.text()], [`${origin}/0`, "there"]);
    assert.equal((await failureOf(reach(`${origin}/6`))).code, "too_many_redirects");
    assert.equal((await failureOf(reach(`${origin}/2`, { maxRedirects: 1 }))).code, "too_many_redirects");
    for (const path of ["inside", "file", "user", "broken"]) {
      const { code, message } = await failureOf(reach(`${origin}/${path}`));
      assert.equal(code, "egress_blocked", path);
      assert.doesNotMatch(message, /secret|passwd/);
    }
    const plain = await reach(`${origin}/inside`, { maxRedirects: 0 });
    assert.deepEqual([plain.status, plain.headers.get("location")], [302, "http://169.254.169.254/latest/"]);
    await plain.body.cancel();
    assert.equal(await (await reach(`${origin}/nowhere`)).text(), "as it is");
  });
});

Deno.test("credentials stay with the origin that they were meant for", async () => {
  const echo = (request: Request) => Response.json(Object.fromEntries(request.headers));
  await serving(echo, async (other) => {
    await serving((request, { pathname }) => {
      if (pathname === "/same") return new Response(null, { status: 307, headers: { location: "/" } });
      return pathname === "/other" ? Response.redirect(other, 307) : echo(request);
    }, async (origin) => {
      const headers = {
        authorization: "Bearer s",
        cookie: "s=1",
        "proxy-authorization": "Basic s",
        "x-kept": "1",
      };
      const same = JSON.parse(await (await reach(`${origin}/same`, { headers })).text());
      assert.deepEqual([same.authorization, same.cookie, same["x-kept"]], ["Bearer s", "s=1", "1"]);
      const far = JSON.parse(await (await reach(`${origin}/other`, { headers })).text());
      assert.equal(far["x-kept"], "1");
      for (const name of ["authorization", "cookie", "proxy-authorization"]) {
        assert.equal(far[name], undefined, name);
      }
    });
  });
});

for (
  const [status, method, becomes, body] of [
    [301, "POST", "GET", ""],
    [302, "POST", "GET", ""],
    [302, "PUT", "PUT", "body"],
    [303, "PUT", "GET", ""],
    [307, "POST", "POST", "body"],
    [308, "POST", "POST", "body"],
  ] as const
) {
  Deno.test(`a ${status} makes of ${method} ${becomes}`, async () => {
    await serving(async (request, { pathname }) => {
      const text = await request.text();
      if (pathname !== "/done") return new Response(null, { status, headers: { location: "/done" } });
      return Response.json([request.method, text, request.headers.get("content-type")]);
    }, async (origin) => {
      const options: FetchOptions = { method, body: "body", headers: { "content-type": "text/x" } };
      const seen = JSON.parse(await (await reach(origin, options)).text());
      assert.deepEqual(seen, [becomes, body, body ? "text/x" : null]);
    });
  });
}

Deno.test("names that are not, ports where nobody listens, and servers that do not speak HTTP", async () => {
  const cases: [string, string, boolean][] = [
    ["http://no-such-host.invalid/", "dns_failure", true],
    ["http://127.0.0.1:1/", "connect_failure", true],
  ];
  for (const [url, code, retryable] of cases) {
    const failure = await failureOf(reach(url));
    assert.deepEqual([failure.code, failure.retryable], [code, retryable]);
  }
  for (
    const answer of [
      "SSH-2.0-OpenSSH\r\n",
      "",
      "HTTP/1.1 200 OK\r\nx: " + "y".repeat(70_000) + "\r\n\r\n",
      "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    ]
  ) {
    await raw((socket) => socket.once("data", () => socket.end(answer)), async (origin) => {
      const { code } = await failureOf(reach(origin, { timeout: 5_000 }).then((answer) => answer.text()));
      assert.match(
        code,
        answer.length > 70_000 ? /response_too_large/ : /connect_failure/,
        answer.slice(0, 80),
      );
    });
  }
});

Deno.test("a certificate that does not hold is a tls_failure, and so is a server without TLS", async () => {
  for (const certificate of [selfSigned, signed]) {
    await serving(() => new Response(), async (origin) => {
      const { code, retryable } = await failureOf(reach(origin));
      assert.deepEqual([code, retryable], ["tls_failure", false]);
    }, certificate);
  }
  await serving(() => new Response(), async (origin) => {
    assert.equal((await failureOf(reach(origin.replace("http:", "https:")))).code, "tls_failure");
  });
  await raw((socket) => socket.once("data", () => socket.destroy()), async (origin) => {
    const { code, retryable } = await failureOf(reach(origin.replace("http:", "https:")));
    assert.deepEqual([code, retryable], ["connect_failure", true]);
  });
});

Deno.test("a process with the rights of a runner alone speaks TLS, to whom the certificate names", async () => {
  const { href } = new URL("../../../tasks/mod.ts", import.meta.url);
  const code = `
    const { guardedFetch, parseAllowList, TaskFailure } = await import("${href}");
    for (const host of ["localhost", "127.0.0.1", "other.localhost"]) {
      const url = "https://" + host + ":" + Deno.args[0];
      const allow = parseAllowList("127.0.0.0/8,::1");
      console.log(await guardedFetch(url, { allow }).then((answer) => answer.text(), ({ code }) => code));
    }`;
  await serving(() => new Response("secure"), async (origin) => {
    const rooms = new URL("../../../", import.meta.url).pathname;
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-check", "--quiet", `--config=${rooms}deno.json`, "--allow-net"],
        ...[
          `--allow-read=${rooms}`,
          `data:application/javascript,${encodeURIComponent(code)}`,
          new URL(origin).port,
        ],
      ],
      env: { DENO_CERT: new URL("certs/authority.crt", import.meta.url).pathname },
    }).output();
    const [right, ...wrong] = new TextDecoder().decode(stdout).trim().split("\n");
    assert.equal(right, "secure", new TextDecoder().decode(stderr));
    assert.equal(wrong[0], "tls_failure");
    // Where the system knows the name at all.
    assert.match(wrong[1]!, /tls_failure|dns_failure/);
  }, signed);
});

Deno.test("what the program is to be stopped for is thrown as it is", async () => {
  const reason = new DOMException("cancelled", "AbortError");
  await assert.rejects(
    reach("http://127.0.0.1/", { signal: AbortSignal.abort(reason) }),
    (error) => error === reason,
  );
  const hangs: ((socket: import("node:net").Socket) => void)[] = [
    () => {},
    (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
  ];
  for (const talk of hangs) {
    const controller = new AbortController();
    await raw((socket) => {
      talk(socket);
      socket.once("data", () => setTimeout(() => controller.abort(reason), 20));
    }, async (origin) => {
      const reading = reach(origin, { signal: controller.signal }).then((answer) => answer.text());
      await assert.rejects(reading, (error) => error === reason);
    });
  }
  // Nor does a TLS handshake that never ends outlast it.
  const controller = new AbortController();
  await raw((socket) => socket.once("data", () => controller.abort(reason)), async (origin) => {
    const shaking = reach(origin.replace("http:", "https:"), { signal: controller.signal });
    await assert.rejects(shaking, (error) => error === reason);
  });
});
