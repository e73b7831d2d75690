import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { failureOf } from "../egress/servers.ts";
import { scrape, site } from "./site.ts";

// Read once, by the first test that needs it.
Deno.env.set("EGRESS_ALLOW", "127.0.0.0/8,::1");
Deno.test.afterAll(() => Deno.env.delete("EGRESS_ALLOW"));

const urlset = (...urls: string[]) =>
  `<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
${
    urls.map((url) =>
      `<url><loc>\n ${url} </loc><image:image><image:loc>http://x/</image:loc></image:image></url>`
    )
  }
</urlset>`;
const xml = (text: string) => () => new Response(text, { headers: { "content-type": "application/xml" } });
const PAGES = { "/a": "<p>", "/b": "<p>" };

Deno.test("a sitemap says what is read, as XML, packed, or by way of an index", async () => {
  const paths: Record<string, () => Response> = {};
  await site({
    ...PAGES,
    "/sitemap.xml": (r) => paths["/sitemap.xml"]!() ?? r,
    "/packed.xml.gz": () => paths["/packed.xml.gz"]!(),
    "/index.xml": () => paths["/index.xml"]!(),
  }, async (origin) => {
    const text = urlset(
      `${origin}/a`,
      `<![CDATA[${origin}/b]]>`,
      "ftp://x/",
      "javascript:alert(1)",
      "/relative",
    );
    paths["/sitemap.xml"] = xml(text);
    paths["/packed.xml.gz"] = () =>
      new Response(new Uint8Array(gzipSync(text)), { headers: { "content-type": "application/x-gzip" } });
    paths["/index.xml"] = xml(
      `<sitemapindex><sitemap><loc>${origin}/packed.xml.gz</loc></sitemap><sitemap><loc>${origin}/sitemap.xml</loc>
       </sitemap></sitemapindex>`,
    );
    for (const name of ["sitemap.xml", "packed.xml.gz", "index.xml"]) {
      const { pages, skipped } = await scrape({ sitemap: `${origin}/${name}` });
      assert.deepEqual([pages.map(({ url }) => url), skipped], [[`${origin}/a`, `${origin}/b`], []], name);
    }
    const { pages } = await scrape({ sitemap: `${origin}/index.xml`, maxPages: 1 });
    assert.equal(pages.length, 1);
  });
});

Deno.test("entities that a sitemap defines are not expanded, and its file entities not opened", async () => {
  const evil = (origin: string) =>
    `<?xml version="1.0"?><!DOCTYPE urlset [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
    <!ENTITY f SYSTEM "file:///etc/passwd">]><urlset><url><loc>${origin}/a?x=1&amp;y=&#50;</loc></url>
    <url><loc>${origin}/&b;</loc></url><url><loc>${origin}/&f;</loc></url></urlset>`;
  let text = "";
  await site({ ...PAGES, "/sitemap.xml": () => xml(text)() }, async (origin, asked) => {
    text = evil(origin);
    const { pages, skipped } = await scrape({ sitemap: `${origin}/sitemap.xml` });
    assert.deepEqual(pages.map(({ url }) => url), [`${origin}/a?x=1&y=2`]);
    assert.deepEqual(skipped.map(({ url }) => url), [`${origin}/&b;`, `${origin}/&f;`]);
    assert.equal(asked.filter(({ path }) => /aaaa|root/.test(path)).length, 0);
  });
});

Deno.test("of a sitemap without end no more is read than it takes", async () => {
  let sent = 0;
  await site({
    ...PAGES,
    "/sitemap.xml": (request) => {
      const { origin } = new URL(request.url);
      const encoder = new TextEncoder();
      return new Response(
        new ReadableStream({
          pull(controller) {
            const start = sent++ ? "" : "<urlset>";
            controller.enqueue(
              encoder.encode(`${start}<url><loc>${origin}/a?${sent}</loc></url>${" ".repeat(10_000)}`),
            );
          },
        }),
        { headers: { "content-type": "text/xml" } },
      );
    },
  }, async (origin) => {
    const { pages } = await scrape({ sitemap: `${origin}/sitemap.xml`, maxPages: 5 });
    assert.equal(pages.length, 5);
    assert.ok(sent < 500, `${sent}`);
  });
});

for (
  const [what, body] of [
    ["HTML", "<html><body>no"],
    ["nothing", ""],
    ["a broken packed file", new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3])],
  ] as const
) {
  Deno.test(`${what} is no sitemap`, async () => {
    await site({ "/sitemap.xml": () => new Response(body) }, async (origin) => {
      const failure = await failureOf(scrape({ sitemap: `${origin}/sitemap.xml` }));
      assert.deepEqual([failure.code, failure.retryable], ["unsupported_format", false]);
    });
  });
}
