import assert from "node:assert/strict";
import { Service } from "../../service.ts";
import { site } from "./site.ts";

Deno.test("in the service a page is scraped with no more rights than it takes", async () => {
  const text = "<p>A sentence of the article, with commas, and enough of them to be read, I hope.</p>".repeat(
    20,
  );
  await site({
    "/robots.txt": "User-agent: errand\nDisallow: /private",
    "/": `<title>T</title><article><h1>Things</h1>${text}<a href=/private>x</a></article>`,
    "/sitemap.xml": "<urlset/>",
  }, async (origin, asked) => {
    await using service = await Service.start({
      EGRESS_ALLOW: "127.0.0.0/8,::1",
      SCRAPE_CONTACT: "https://example.org/bot",
    });
    const task = await service.run("scrape-page", {
      urls: [`${origin}/`],
      select: { title: { selector: "h1" } },
      article: true,
      follow: { selector: "a" },
    });
    assert.equal(task.status, "succeeded", JSON.stringify(task.error));
    const { pages, skipped } = task.result as {
      pages: { data: unknown; article?: { text: string } }[];
      skipped: { reason: string }[];
    };
    assert.deepEqual(pages.map(({ data }) => data), [{ title: "Things" }]);
    assert.match(pages[0]?.article?.text ?? "", /A sentence of the article/);
    assert.deepEqual(skipped.map(({ reason }) => reason), ["robots_disallowed"]);
    assert.ok(asked.every(({ agent }) => agent === "errand (+https://example.org/bot)"));
    const none = await service.run("scrape-page", { sitemap: `${origin}/sitemap.xml` });
    assert.deepEqual(none.result, { pages: [], skipped: [] });
    const bad = await service.call("POST", "/v1/tasks", {
      type: "scrape-page",
      input: { urls: [origin], select: { a: { selector: "a[" } } },
    });
    assert.equal(bad.status, 422);
    assert.match(await bad.text(), /#\/input\/select\/a\/selector/);
  });
});
