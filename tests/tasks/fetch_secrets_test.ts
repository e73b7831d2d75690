import assert from "node:assert/strict";
import definition from "../../tasks/fetch_url.ts";
import { Service } from "../service.ts";
import { contextFor, perform } from "./context.ts";
import { failureOf, serving } from "./egress/servers.ts";
import { making } from "./making.ts";

// Read once, by the first test that needs it.
Deno.env.set("EGRESS_ALLOW", "127.0.0.0/8,::1");
Deno.test.afterAll(() => Deno.env.delete("EGRESS_ALLOW"));

const CANARY = 'canary-"7f\\3e9b1d';

async function withSecret(
  secret: string,
  origins: string,
  test: () => Promise<void>,
): Promise<void> {
  Deno.env.set("FETCH_SECRET_TOKEN", secret);
  Deno.env.set("FETCH_SECRET_TOKEN_ORIGINS", origins);
  try {
    await test();
  } finally {
    Deno.env.delete("FETCH_SECRET_TOKEN");
    Deno.env.delete("FETCH_SECRET_TOKEN_ORIGINS");
  }
}

const authorized = (url: string, more: Record<string, unknown> = {}) => ({
  requests: [{ url, headers: { "x-key": { secret: "TOKEN", prefix: "Bearer " } }, ...more }],
});
const fetched = (input: unknown, context = contextFor()) =>
  perform(definition, input, context) as Promise<{ responses: Record<string, unknown>[] }>;

Deno.test("a secret goes where the operator lets it, and no answer shows it", async () => {
  const seen: (string | null)[] = [];
  const escaped = [...CANARY].map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
  await serving((request, { pathname }) => {
    const sent = request.headers.get("x-key");
    seen.push(sent);
    const headers = { "x-echo": `${sent}`, "set-cookie": "session=1", "x-auth-token": "2" };
    if (pathname === "/json") {
      return new Response(`{"said":"a ${escaped}","${escaped}":1}`, {
        headers: { ...headers, "content-type": "application/json" },
      });
    }
    return new Response(`${sent}, ${sent}`, { headers: { ...headers, "content-type": "text/plain" } });
  }, async (origin) => {
    await withSecret(CANARY, `https://elsewhere.example, ${origin}`, async () => {
      const { responses: [text] } = await fetched(authorized(`${origin}/text`));
      assert.equal(text?.body, "Bearer [redacted], Bearer [redacted]");
      const headers = text?.headers as Record<string, string>;
      assert.equal(headers["x-echo"], "Bearer [redacted]");
      assert.equal(
        headers["set-cookie"] ?? headers["x-auth-token"],
        undefined,
        "credentials of the answer's own",
      );
      const { responses: [json] } = await fetched(authorized(`${origin}/json`));
      assert.deepEqual(json?.body, { said: "a [redacted]", "[redacted]": 1 });
      await making(async (files, read) => {
        const { responses: [file] } = await fetched(
          authorized(`${origin}/file`, { as: "file" }),
          contextFor({ files }),
        );
        const hidden = `Bearer ${"*".repeat(CANARY.length)}`;
        assert.equal(new TextDecoder().decode(read(file!.file as string)), `${hidden}, ${hidden}`);
      });
    });
    assert.deepEqual(seen, Array(3).fill(`Bearer ${CANARY}`));
  });
});

Deno.test("a secret stays behind where a redirect changes the origin", async () => {
  const seen: (string | null)[] = [];
  const answer = (request: Request) => {
    seen.push(request.headers.get("x-key"));
    return new Response("there");
  };
  await serving(answer, async (other) => {
    await serving((request, { pathname }) => {
      const location = pathname === "/away" ? other : "/here";
      return pathname === "/here"
        ? answer(request)
        : new Response(null, { status: 302, headers: { location } });
    }, async (origin) => {
      await withSecret(CANARY, `${origin},${other}`, async () => {
        const { responses: [answered] } = await fetched(authorized(`${origin}/away`));
        assert.equal(answered?.url, `${other}/`);
        await fetched(authorized(`${origin}/back`));
      });
    });
  });
  assert.deepEqual(seen, [null, `Bearer ${CANARY}`]);
});

Deno.test("a secret that is not there, or not for there, is refused at POST, and where", async () => {
  const problem = (input: unknown) => {
    const [issue] = definition.input.safeParse(input).error?.issues ?? [];
    return `${issue?.path.join("/")}: ${issue?.message}`;
  };
  const at = "requests/0/headers/x-key/secret: ";
  await withSecret(CANARY, "https://api.example.com", () => {
    for (
      const url of [
        "https://example.com/",
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com.evil.example/",
      ]
    ) {
      assert.equal(problem(authorized(url)), `${at}names a secret that may not be sent there: TOKEN`);
    }
    assert.equal(problem(authorized("https://API.example.com:443/x")), "undefined: undefined");
    for (const secret of ["TOKEN_ORIGINS", "OTHER", "TOKEN_"]) {
      const input = { requests: [{ url: "https://api.example.com", headers: { "x-key": { secret } } }] };
      assert.equal(problem(input), `${at}names no secret: ${secret}`);
    }
    return Promise.resolve();
  });
});

Deno.test("a secret that fits no header is not shown by the error", async () => {
  await serving(() => new Response(), async (origin) => {
    await withSecret(`${CANARY}\nx`, origin, async () => {
      const { code, message, retryable } = await failureOf(fetched(authorized(origin)));
      assert.deepEqual([code, retryable], ["invalid_input", false]);
      assert.doesNotMatch(message, /canary/);
    });
  });
});

Deno.test("the runner is given the secrets by name, and nothing else of the environment", () => {
  const permissions = definition.permissions as (context: { env: Record<string, string> }) => unknown;
  const env = {
    FETCH_SECRET_A: "1",
    FETCH_SECRET_A_ORIGINS: "https://a.example",
    SMTP_URL: "x",
    FETCH_SECRET_: "y",
  };
  assert.deepEqual(permissions({ env }), { net: true, env: ["FETCH_SECRET_A", "FETCH_SECRET_A_ORIGINS"] });
});

Deno.test("in the service a secret is in no task, log, result or error", async () => {
  let times = 0;
  await serving((request) => {
    const said = request.headers.get("x-key");
    if (++times === 1) return new Response(said, { status: 503, headers: { "retry-after": "0" } });
    return new Response(said, { headers: { "x-echo": `${said}` } });
  }, async (origin) => {
    await using service = await Service.start({
      EGRESS_ALLOW: "127.0.0.0/8,::1",
      FETCH_SECRET_TOKEN: CANARY,
      FETCH_SECRET_TOKEN_ORIGINS: origin,
    });
    const task = await service.run("fetch-url", authorized(origin));
    assert.deepEqual([task.status, task.attempt], ["succeeded", 2], JSON.stringify(task.error));
    const { responses: [answer] } = task.result as { responses: { body: string }[] };
    assert.equal(answer?.body, "Bearer [redacted]");
    const shown = await Promise.all(
      ["", "/logs", "/result"].map(async (path) =>
        await (await service.call("GET", `/v1/tasks/${task.id}${path}`)).text()
      ),
    );
    assert.doesNotMatch(shown.join() + JSON.stringify(task), /canary/);
    const refused = await service.call("POST", "/v1/tasks", {
      type: "fetch-url",
      input: authorized("http://127.0.0.1:1/"),
    });
    assert.equal(refused.status, 422);
    assert.match(await refused.text(), /#\/input\/requests\/0\/headers\/x-key\/secret/);
  });
});
