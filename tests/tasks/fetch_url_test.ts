import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import definition from "../../tasks/fetch_url.ts";
import { contextFor, Memory, perform } from "./context.ts";
import { failureOf, raw, serving } from "./egress/servers.ts";
import { making } from "./making.ts";

// Read once, by the first test that needs it.
Deno.env.set("EGRESS_ALLOW", "127.0.0.0/8,::1");
Deno.test.afterAll(() => Deno.env.delete("EGRESS_ALLOW"));

interface Answer {
  status: number;
  url?: string;
  headers: Record<string, string>;
  body?: unknown;
  file?: string;
  name?: string;
  contentType?: string;
  size?: number;
  ms: number;
  error?: { code: string; message: string; retryable: boolean; status?: number };
}

async function fetched(input: unknown, context = contextFor()): Promise<Answer[]> {
  const { responses } = await perform(definition, input, context) as { responses: Answer[] };
  return responses;
}

/** One request. */
async function one(request: unknown, context = contextFor()): Promise<Answer> {
  const [answer] = await fetched({ requests: [request] }, context);
  return answer!;
}

function problemsOf(input: unknown): string[] {
  const { error } = definition.input.safeParse(input);
  return error?.issues.map(({ path, message }) => `${path.join("/")}: ${message}`) ?? [];
}

Deno.test("answers come in the order of the requests, each as what its content type says", async () => {
  await serving((_, { pathname }) => {
    if (pathname === "/json") return Response.json({ n: 1, s: "é 😀" }, { headers: { etag: '"v1"' } });
    if (pathname === "/problem") {
      return new Response('{"a":[1]}', {
        headers: { "content-type": "application/problem+json; charset=utf-8" },
      });
    }
    if (pathname === "/none") return new Response(null, { status: 204 });
    return new Response(new Uint8Array([0x47, 0x72, 0xfc, 0xdf, 0x65]), {
      headers: { "content-type": "text/plain; charset=iso-8859-1" },
    });
  }, async (origin) => {
    const context = contextFor();
    const urls = ["/text", "/json", "/none", "/problem"].map((path) => origin + path);
    const requests = urls.map((url) => ({ url }));
    const answers = await fetched({ requests, concurrency: 2, perHost: 2 }, context);
    assert.deepEqual(answers.map(({ status }) => status), [200, 200, 204, 200]);
    assert.deepEqual(answers.map(({ body }) => body), ["Grüße", { n: 1, s: "é 😀" }, undefined, { a: [1] }]);
    assert.equal(answers[1]!.headers.etag, '"v1"');
    assert.ok(answers.every(({ ms, url }) => ms >= 0 && url === undefined));
    assert.deepEqual(context.progressed.at(-1), { current: 4, total: 4, message: undefined });
  });
});

Deno.test("a request goes out as it was described", async () => {
  await serving(async (request) =>
    Response.json({
      method: request.method,
      headers: Object.fromEntries(request.headers),
      body: await request.text(),
    }), async (url) => {
    const sent = async (request: Record<string, unknown>, context = contextFor()) =>
      (await one({ url, ...request }, context)).body as {
        method: string;
        headers: Record<string, string>;
        body: string;
      };
    const json = await sent({ method: "PUT", body: { a: [1, null] }, headers: { "X-Thing": "a, b" } });
    assert.deepEqual([json.method, json.body], ["PUT", '{"a":[1,null]}']);
    assert.equal(json.headers["content-type"], "application/json");
    assert.equal(json.headers["x-thing"], "a, b");
    assert.equal(json.headers["idempotency-key"], undefined);
    const text = await sent({ method: "PATCH", body: "x=1", headers: { "content-type": "text/csv" } });
    assert.deepEqual([text.body, text.headers["content-type"]], ["x=1", "text/csv"]);
    const id = crypto.randomUUID();
    const keys = [1, 2].map(async (attempt) =>
      (await sent({ method: "POST", body: 0 }, contextFor({ id, attempt }))).headers["idempotency-key"]
    );
    assert.deepEqual(await Promise.all(keys), [`${id}-0`, `${id}-0`]);
  });
});

Deno.test("of JSON, a JSON Pointer selects", async () => {
  const document = { "": 0, "a/b": 1, "m~n": 2, " ": 3, list: [{ n: 4 }], deep: { "0": null } };
  await serving(() => Response.json(document), async (url) => {
    const selected = async (select: string) => (await one({ url, select })).body;
    assert.deepEqual(await selected(""), document);
    assert.deepEqual(
      await Promise.all(["/", "/a~1b", "/m~0n", "/ ", "/list/0/n", "/deep/0"].map(selected)),
      [0, 1, 2, 3, 4, null],
    );
    for (const nothing of ["/x", "/list/1", "/list/00", "/list/-", "/list/length", "/toString", "/a~1b/c"]) {
      const failure = await failureOf(selected(nothing));
      assert.deepEqual([failure.code, failure.retryable], ["select_failed", false], nothing);
    }
  });
});

Deno.test("what an earlier answer said makes a request conditional, and 304 is an answer", async () => {
  const date = "Sun, 06 Nov 1994 08:49:37 GMT";
  await serving((request) => {
    const same = request.headers.get("if-none-match") === 'W/"v1"' ||
      request.headers.get("if-modified-since") === date;
    return new Response(same ? null : "new", { status: same ? 304 : 200, headers: { etag: 'W/"v1"' } });
  }, async (url) => {
    const { etag } = (await one({ url })).headers;
    for (const condition of [{ ifNoneMatch: etag }, { ifModifiedSince: date }]) {
      const answer = await one({ url, ...condition });
      assert.deepEqual([answer.status, "body" in answer], [304, false]);
    }
    assert.equal((await one({ url, ifNoneMatch: '"v2"' })).body, "new");
  });
});

Deno.test("an answer becomes a file, of the name that it says", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(65_536));
  await serving((_, { pathname }) =>
    new Response(bytes, {
      headers: {
        "content-type": "application/pdf",
        ...(pathname === "/named" && { "content-disposition": `attachment; filename="../a \\"b\\".pdf"` }),
        ...(pathname === "/star" &&
          { "content-disposition": "attachment; filename=x; filename*=UTF-8''b%C3%A9.pdf" }),
      },
    }), async (origin) => {
    await making(async (files, read) => {
      for (
        const [path, name] of [["/named", 'a "b".pdf'], ["/star", "bé.pdf"], [
          "/r%C3%A9port.pdf",
          "réport.pdf",
        ]]
      ) {
        const { file, status, headers: _, ms: __, ...about } = await one(
          { url: origin + path },
          contextFor({ files }),
        );
        assert.deepEqual({ status, ...about }, {
          status: 200,
          name,
          contentType: "application/pdf",
          size: 65_536,
        });
        assert.deepEqual(read(file!), bytes);
      }
      const many = { requests: Array(17).fill({ url: origin }) };
      const failure = await failureOf(fetched(many, contextFor({ files })));
      assert.equal(failure.code, "partial_failure");
      assert.match(
        JSON.stringify(failure.details),
        /"code":"result_too_large"/,
        "what the run may write is bounded",
      );
    });
  });
});

for (
  const [status, retryable] of [[400, false], [404, false], [408, true], [425, true], [429, true], [
    500,
    true,
  ], [
    503,
    true,
  ]] as const
) {
  Deno.test(`${status} fails the task, and ${retryable ? "another attempt follows" : "for good"}`, async () => {
    await serving(() => new Response("no", { status, headers: { "retry-after": "17" } }), async (url) => {
      const failure = await failureOf(one({ url }));
      assert.deepEqual([failure.code, failure.retryable, failure.retryAfter, failure.details], [
        "upstream_status",
        retryable,
        17_000,
        { status },
      ]);
      assert.match(failure.message, /^localhost:\d+ answered \d+\.$/);
      const { body, status: seen } = await one({ url, anyStatus: true });
      assert.deepEqual([seen, body], [status, "no"]);
    });
  });
}

Deno.test("of several requests, those that fail are named, and the task is tried again where that helps", async () => {
  let calls = 0;
  await serving((_, { pathname }) => {
    calls++;
    return new Response("x", {
      status: Number(pathname.slice(1)),
      headers: { "content-type": "text/plain", "retry-after": pathname === "/503" ? "30" : "9" },
    });
  }, async (origin) => {
    const requests = (...statuses: number[]) => statuses.map((status) => ({ url: `${origin}/${status}` }));
    const failure = await failureOf(fetched({ requests: requests(200, 503, 200, 429) }));
    assert.deepEqual([failure.code, failure.retryable, failure.retryAfter], [
      "partial_failure",
      true,
      30_000,
    ]);
    assert.deepEqual(failure.details, {
      succeeded: 2,
      failed: 2,
      failures: [{ request: 1, code: "upstream_status", status: 503 }, {
        request: 3,
        code: "upstream_status",
        status: 429,
      }],
    });
    assert.equal(calls, 4, "all of them were made");
    assert.equal((await failureOf(fetched({ requests: requests(503, 404) }))).retryable, false);

    const answers = await fetched({ requests: requests(200, 404, 503), allowFailures: true });
    assert.equal(answers[0]!.body, "x");
    const { error } = answers[1]!;
    assert.deepEqual([error?.code, error?.retryable, error?.status], ["upstream_status", false, 404]);
    assert.equal(answers[2]!.error?.status, 503);

    calls = 0;
    const first = await failureOf(
      fetched({ requests: requests(404, 200, 200, 200), concurrency: 1, failFast: true }),
    );
    assert.deepEqual([first.code, first.details], ["upstream_status", { status: 404 }]);
    assert.equal(calls, 1, "the others were not made");
  });
});

Deno.test("another attempt makes the requests that failed, and no other one", async () => {
  let down = true;
  const asked: string[] = [];
  await serving((request, { pathname }) => {
    asked.push(`${request.method} ${pathname}`);
    return new Response(pathname, {
      status: pathname === "/down" && down ? 503 : 200,
      headers: { "content-type": pathname === "/file" ? "image/png" : "text/plain" },
    });
  }, async (origin) => {
    await making(async (files) => {
      const requests = [
        { url: `${origin}/made`, method: "POST", body: "x" },
        { url: `${origin}/down` },
        { url: `${origin}/file` },
      ];
      const checkpoint = new Memory();
      await failureOf(fetched({ requests }, contextFor({ files, checkpoint })));
      down = false;
      asked.length = 0;
      const answers = await fetched({ requests }, contextFor({ files, checkpoint: checkpoint.next() }));
      assert.deepEqual(answers.map(({ status, body }) => [status, body]), [[200, "/made"], [200, "/down"], [
        200,
        undefined,
      ]]);
      assert.deepEqual(asked.sort(), ["GET /down", "GET /file"], "files go with the attempt that made them");
    });
  });
});

Deno.test("no more requests are under way than are asked for, in all and to one host", async () => {
  let [now, most] = [0, 0];
  const release: (() => void)[] = [];
  await serving(async () => {
    most = Math.max(most, ++now);
    // Goes on once there are as many as there may be, or no more come.
    await new Promise<void>((resolve) => {
      release.push(resolve);
      if (release.length === 2) { for (const go of release.splice(0)) setTimeout(go, 20); }
    });
    now--;
    return new Response("x");
  }, async (url) => {
    await fetched({ requests: Array(8).fill({ url }), concurrency: 8, perHost: 2 });
    assert.equal(most, 2);
    most = 0;
    await fetched({ requests: Array(8).fill({ url }), concurrency: 2, perHost: 8 });
    assert.equal(most, 2);
  });
});

Deno.test("bombs end, and so do bodies that are too large for memory", async () => {
  const bomb = new Uint8Array(gzipSync(new Uint8Array(50 * 2 ** 20)));
  await serving(
    (_, { pathname }) =>
      pathname === "/bomb"
        ? new Response(bomb, { headers: { "content-encoding": "gzip", "content-type": "text/plain" } })
        : new Response(new Uint8Array(5 * 2 ** 20), { headers: { "content-type": "text/plain" } }),
    async (origin) => {
      for (const path of ["/bomb", "/large"]) {
        const failure = await failureOf(one({ url: origin + path }));
        assert.deepEqual([failure.code, failure.retryable], ["response_too_large", false]);
      }
      await making(async (files) => {
        const failure = await failureOf(one({ url: `${origin}/bomb`, as: "file" }, contextFor({ files })));
        assert.equal(failure.code, "response_too_large");
      }, 64 * 2 ** 20);
    },
  );
});

for (
  const [what, text] of [["HTML", "<p>"], ["half of it", '{"a":'], ["no UTF-8", "\xff"], [
    "nothing",
    "",
  ]] as const
) {
  Deno.test(`${what} instead of JSON is unsupported_format, without being quoted`, async () => {
    const body = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    await serving(() => new Response(body), async (url) => {
      const failure = await failureOf(one({ url, as: "json" }));
      assert.equal(failure.code, "unsupported_format");
      assert.match(failure.message, /^localhost:\d+ answered with what is no JSON\.$/);
    });
  });
}

Deno.test("an answer that does not come ends with the request's own timeout, and a cancel ends all", async () => {
  await raw(() => {}, async (url) => {
    const failure = await failureOf(one({ url, timeout: "50ms" }));
    assert.deepEqual([failure.code, failure.retryable], ["upstream_timeout", true]);
    const controller = new AbortController();
    const reason = new DOMException("cancelled", "AbortError");
    setTimeout(() => controller.abort(reason), 50);
    const all = fetched(
      { requests: Array(8).fill({ url }), allowFailures: true },
      contextFor({
        signal: controller.signal,
      }),
    );
    await assert.rejects(all, (error) => error === reason);
  });
});

const BODY = { requests: [{ url: "https://example.com/" }] };
const withRequest = (more: Record<string, unknown>) => ({ requests: [{ ...BODY.requests[0], ...more }] });
for (
  const [what, input, problem] of [
    ["no request", { requests: [] }, /^requests: /],
    ["too many requests", { requests: Array(101).fill(BODY.requests[0]) }, /^requests: /],
    ["a target inside", withRequest({ url: "http://10.0.0.1/" }), /^requests\/0\/url: .*not public/],
    ["a file of the disk", withRequest({ url: "file:///etc/passwd" }), /^requests\/0\/url: /],
    ["a method of its own", withRequest({ method: "TRACE" }), /^requests\/0\/method: /],
    ["a GET with a body", withRequest({ body: "x" }), /^requests\/0\/body: goes with no GET/],
    ["a pointer that is none", withRequest({ select: "a/b" }), /^requests\/0\/select: .*6901/],
    ["a pointer into text", withRequest({ select: "/a", as: "text" }), /^requests\/0\/select: is for JSON/],
    ["a line break in a header", withRequest({ headers: { a: "b\r\nc: d" } }), /^requests\/0\/headers\/a: /],
    [
      "a header's name that is none",
      withRequest({ headers: { "a b": "c" } }),
      /^requests\/0\/headers\/a b: /,
    ],
    ["a Host", withRequest({ headers: { Host: "x" } }), /^requests\/0\/headers\/Host: is written by Errand/],
    [
      "a header twice",
      withRequest({ headers: { a: "1", A: "2" } }),
      /^requests\/0\/headers: .*upper and lower/,
    ],
    ["an ETag without quotes", withRequest({ ifNoneMatch: "abc" }), /^requests\/0\/ifNoneMatch: /],
    ["contrary wishes", { ...BODY, failFast: true, allowFailures: true }, /^allowFailures: /],
    ...[
      "Authorization",
      "cookie",
      "X-Api-Key",
      "x-goog-api-key",
      "PRIVATE-TOKEN",
      "X-Auth-Token",
      "x-vault-token",
    ]
      .map((name) =>
        [
          `a literal ${name}`,
          withRequest({ headers: { [name]: "hunter2" } }),
          new RegExp(`^requests/0/headers/${name}: must be \\{"secret": "NAME"\\}`),
        ] as const
      ),
  ] as const
) {
  Deno.test(`${what} is refused, and where`, () => {
    const problems = problemsOf(input);
    assert.match(problems[0] ?? "nothing wrong", problem);
    assert.doesNotMatch(problems.join(), /hunter2/);
  });
}
