import assert from "node:assert/strict";
import { contextFor } from "../context.ts";
import { failureOf, serving } from "../egress/servers.ts";
import { redirect, scrape, site } from "./site.ts";

// Read once, by the first test that needs it.
Deno.env.set("EGRESS_ALLOW", "127.0.0.0/8,::1");
Deno.test.afterAll(() => Deno.env.delete("EGRESS_ALLOW"));

Deno.test("robots.txt is asked once, and what it forbids is not asked for, not even by a redirect", async () => {
  await site({
    "/robots.txt":
      "User-agent: *\nDisallow: /\n\nUser-agent: Errand\nDisallow: /private\nAllow: /private/not$",
    "/": "<p>",
    "/private/not": "<p>",
    "/hop": redirect("/private/c"),
  }, async (origin, asked) => {
    const paths = ["/", "/private/a", "/private/not", "/private/b", "/hop"];
    const { pages, skipped } = await scrape({ urls: paths.map((path) => origin + path) });
    assert.deepEqual(pages.map(({ url }) => new URL(url).pathname), ["/", "/private/not"]);
    assert.deepEqual(skipped.map(({ reason }) => reason), Array(3).fill("robots_disallowed"));
    assert.deepEqual(asked.map(({ path }) => path), ["/robots.txt", "/", "/private/not", "/hop"]);
  });
});

Deno.test("the robot says who it is, and whom to turn to", async () => {
  await site({ "/": "<p>" }, async (url, asked) => {
    await scrape({ urls: [url] });
    assert.deepEqual(asked.map(({ agent }) => agent), ["errand", "errand"]);
    Deno.env.set("SCRAPE_CONTACT", "https://example.org/bot");
    try {
      await scrape({ urls: [url] });
    } finally {
      Deno.env.delete("SCRAPE_CONTACT");
    }
    assert.equal(asked.at(-1)?.agent, "errand (+https://example.org/bot)");
  });
});

for (
  const [status, allowed] of [[404, true], [401, true], [410, true], [429, false], [500, false], [
    503,
    false,
  ]] as const
) {
  Deno.test(`where robots.txt is ${status}, ${allowed ? "all" : "nothing"} is allowed`, async () => {
    await site({
      "/robots.txt": () => new Response("Disallow: /", { status }),
      "/": "<p>",
    }, async (url) => {
      if (allowed) return assert.equal((await scrape({ urls: [url] })).pages.length, 1);
      const failure = await failureOf(scrape({ urls: [url] }));
      assert.deepEqual([failure.code, failure.retryable], ["robots_unreachable", true]);
    });
  });
}

Deno.test("of a robots.txt without end, the first 500 KiB count", async () => {
  const line = new TextEncoder().encode("# nothing\n".repeat(1_000));
  await site({
    "/robots.txt": () => {
      const rules = new TextEncoder().encode("User-agent: *\nDisallow: /no\n");
      let sent = 0;
      return new Response(
        new ReadableStream({ pull: (controller) => controller.enqueue(sent++ ? line.slice() : rules) }),
      );
    },
    "/": "<p>",
    "/no": "<p>",
  }, async (origin) => {
    const { pages, skipped } = await scrape({ urls: [`${origin}/`, `${origin}/no`] });
    assert.deepEqual([pages.length, skipped[0]?.reason], [1, "robots_disallowed"]);
  });
});

Deno.test("a crawl delay lies between two requests, of two tasks as well", async () => {
  await site({ "/robots.txt": "User-agent: *\nCrawl-delay: 0.15", "/": "<p>" }, async (origin, asked) => {
    const urls = (...names: string[]) => ({ urls: names.map((name) => `${origin}/?${name}`), perHost: 4 });
    await Promise.all([scrape(urls("a", "b")), scrape(urls("c", "d"))]);
    const times = asked.filter(({ path }) => path === "/").map(({ at }) => at);
    assert.equal(times.length, 4);
    for (let i = 1; i < times.length; i++) assert.ok(times[i]! - times[i - 1]! > 140, `${times}`);
  });
});

Deno.test("a crawl delay that is longer than the task may take costs all but the first page", async () => {
  await site({ "/robots.txt": "User-agent: *\nCrawl-delay: 86400", "/": "<p>" }, async (origin) => {
    const { pages, skipped } = await scrape({ urls: [`${origin}/?1`, `${origin}/?2`] });
    assert.deepEqual([pages.length, skipped.map(({ reason }) => reason)], [1, ["out_of_time"]]);
  });
});

Deno.test("a cancel ends the wait for a site's turn", async () => {
  await site({ "/robots.txt": "User-agent: *\nCrawl-delay: 60", "/": "<p>" }, async (origin) => {
    const controller = new AbortController();
    const reason = new DOMException("cancelled", "AbortError");
    // When the first page is there, the second waits for its turn.
    const context = Object.assign(contextFor({ signal: controller.signal }), {
      progress: () => controller.abort(reason),
    });
    const pages = scrape({ urls: [`${origin}/?1`, `${origin}/?2`] }, context);
    await assert.rejects(pages, (error) => error === reason);
  });
});

Deno.test("links are followed as deep as was said, within the site, and not where they say no", async () => {
  await serving(
    () => new Response("<p>", { headers: { "content-type": "text/html" } }),
    async (elsewhere) => {
      await site({
        "/":
          `<nav><a href=/1>1</a><a href=/2 rel="nofollow">2</a><a href="${elsewhere}/">3</a><a href=/#x>0</a></nav>
        <a href=/not>not selected</a>`,
        "/1": "<nav><a href=/1/1>x</a><a href=/closed>y</a><a href=/>up</a></nav>",
        "/1/1": "<nav><a href=/1/1/1>x</a></nav>",
        "/closed": '<meta name=robots content="noindex, nofollow"><nav><a href=/behind>x</a></nav>',
      }, async (origin) => {
        const follow = { selector: "nav a", depth: 2 };
        const { pages, skipped } = await scrape({ urls: [`${origin}/`], follow });
        assert.deepEqual(pages.map(({ url }) => new URL(url).pathname), ["/", "/1", "/1/1", "/closed"]);
        assert.deepEqual(skipped, []);
        const wide = await scrape({
          urls: [`${origin}/`],
          follow: { ...follow, depth: 1, sameOrigin: false },
        });
        assert.deepEqual(wide.pages.map(({ url }) => url), [`${origin}/`, `${origin}/1`, `${elsewhere}/`]);
        const few = await scrape({ urls: [`${origin}/`], follow, maxPages: 2 });
        assert.equal(few.pages.length, 2);
      });
    },
  );
});
