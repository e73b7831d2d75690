import assert from "node:assert/strict";
import definition from "../../../tasks/scrape_page.ts";
import { failureOf } from "../egress/servers.ts";
import { redirect, scrape, site } from "./site.ts";

// Read once, by the first test that needs it.
Deno.env.set("EGRESS_ALLOW", "127.0.0.0/8,::1");
Deno.test.afterAll(() => Deno.env.delete("EGRESS_ALLOW"));

Deno.test("what is selected comes as text, attributes and lists", async () => {
  await site({
    "/shop/": `<!doctype html><title>Shop</title><base href="/img/">
      <h1>  Nice <b>thin</b>gs
        &amp; more</h1>
      <ul><li class=item data-n=1>One<li class=item data-n=2>Two<br>lines<script>alert(1)</script></ul>
      <img src="a.png"><a id=x href="javascript:alert(1)">x</a><a id=m href="mailto:a@b.example">m</a>
      <script type="application/ld+json">{"price": 3}</script>`,
  }, async (origin) => {
    const { pages, skipped } = await scrape({
      urls: [`${origin}/shop/#top`],
      select: {
        title: { selector: "h1" },
        items: { selector: "li.item", all: true },
        numbers: { selector: "li", attribute: "data-N", all: true },
        image: { selector: "img", attribute: "src" },
        script: { selector: "#x", attribute: "href" },
        mail: { selector: "#m", attribute: "href" },
        structured: { selector: 'script[type="application/ld+json"]' },
        missing: { selector: "h6" },
        none: { selector: "h6", all: true },
      },
    });
    assert.deepEqual(skipped, []);
    assert.deepEqual(pages, [{
      url: `${origin}/shop/`,
      status: 200,
      data: {
        title: "Nice things & more",
        items: ["One", "Two lines"],
        numbers: ["1", "2"],
        image: `${origin}/img/a.png`,
        mail: "mailto:a@b.example",
        structured: '{"price": 3}',
        none: [],
      },
    }]);
  });
});

Deno.test("links are absolute, each once, and lead to the web", async () => {
  await site({
    "/a/": `<a href="b#1">1</a><a href="b#2">2</a><a href="//example.org/x">3</a><a href="?q=é">4</a>
      <a href="javascript:alert(1)">5</a><a href="data:text/html,x">6</a><a href="java\nscript:alert(1)">7</a>
      <a>8</a><a href="http://[">9</a><map><area href="/c"></map>`,
  }, async (origin) => {
    const { pages: [page] } = await scrape({ urls: [`${origin}/a/`], links: true });
    const { host } = new URL(origin);
    assert.deepEqual(page?.links, [
      `http://${host}/a/b`,
      "http://example.org/x",
      `http://${host}/a/?q=%C3%A9`,
      `http://${host}/c`,
    ]);
  });
});

Deno.test("an article comes as text, without the page around it", async () => {
  const paragraph =
    "<p>A sentence of the article, with commas, and <i>enough</i> of them to be read, I hope.</p>";
  await site({
    "/": `<html lang=en><head><title>Of things</title><meta name=author content="Ada Lovelace">
      <meta property="og:site_name" content="The Site"></head><body><nav><a href=/x>Menu</a></nav>
      <article><h1>Of things</h1>${paragraph.repeat(20)}<img src=x onerror=alert(1)></article>
      <footer>Imprint</footer></body></html>`,
    "/bare": `<!doctype html><title>Bare</title><article>${paragraph.repeat(20)}</article>`,
    "/open": `<html lang=de><head><title>Open</title></head><article>${paragraph.repeat(20)}</article>`,
  }, async (origin) => {
    const urls = ["", "bare", "open"].map((path) => `${origin}/${path}`);
    const { pages } = await scrape({ urls, article: true });
    const { text = "", ...about } = pages[0]?.article ?? {};
    assert.deepEqual({ ...about, excerpt: undefined }, {
      title: "Of things",
      byline: "Ada Lovelace",
      siteName: "The Site",
      lang: "en",
      excerpt: undefined,
    });
    assert.match(text, /^(?:Of things\n)?A sentence of the article, with commas, and enough of them/);
    assert.doesNotMatch(text, /[<>]|Menu|Imprint|onerror/);
    const others = pages.slice(1).map((
      { article },
    ) => [article?.title, article?.lang, article?.text?.slice(0, 25)]);
    assert.deepEqual(others, [
      ["Bare", undefined, "A sentence of the article"],
      ["Open", "de", "A sentence of the article"],
    ], "what HTML lets a page leave out");
  });
});

Deno.test("lines of an article stay apart where nothing stands between them in the page", async () => {
  const block = "<p>A sentence of it, with commas, and enough to be <b>re</b>ad.</p><ul><li>One<li>Two</ul>";
  await site({
    "/": `<title>Small</title><article>${block.repeat(20)}<p>Fin<br>is</p></article>`,
  }, async (origin) => {
    const { pages } = await scrape({ urls: [`${origin}/`], article: true });
    const lines = "A sentence of it, with commas, and enough to be read.\nOne\nTwo\n";
    assert.equal(pages[0]?.article?.text, `${lines.repeat(20)}Fin\nis`);
  });
});

Deno.test("a page is read in the encoding that it says", async () => {
  const page = Uint8Array.from(
    '<meta charset="iso-8859-15"><h1>Gr\xfc\xdfe: 1 \xa4</h1>',
    (c) => c.charCodeAt(0),
  );
  const answer = () => new Response(page, { headers: { "content-type": "text/html" } });
  await site({ "/": answer }, async (url) => {
    const { pages: [read] } = await scrape({ urls: [url], select: { h: { selector: "h1" } } });
    assert.deepEqual(read?.data, { h: "Grüße: 1 €" });
  });
});

Deno.test("what is no page is skipped, with the reason, and the others are read", async () => {
  await site({
    "/ok": "<h1>ok</h1>",
    "/image": () => new Response("x", { headers: { "content-type": "image/png" } }),
    "/large": () => new Response(new Uint8Array(4 * 2 ** 20), { headers: { "content-type": "text/html" } }),
    "/deep": "<div>".repeat(5_000),
    "/round": redirect("/round"),
    "/inside": redirect("http://10.0.0.1/"),
    "/file": redirect("file:///etc/passwd"),
  }, async (origin) => {
    const paths = ["image", "ok", "large", "deep", "round", "inside", "file", "missing"];
    const { pages, skipped } = await scrape({
      urls: paths.map((path) => `${origin}/${path}`),
      select: { h: { selector: "h1" } },
    });
    assert.deepEqual(pages.map(({ data }) => data), [{ h: "ok" }]);
    assert.deepEqual(skipped.map(({ url, reason }) => [new URL(url).pathname, reason]), [
      ["/image", "unsupported_format"],
      ["/large", "response_too_large"],
      ["/deep", "unsupported_format"],
      ["/round", "too_many_redirects"],
      ["/inside", "egress_blocked"],
      ["/file", "egress_blocked"],
      ["/missing", "upstream_status"],
    ]);
    assert.match(skipped.at(-1)!.message, /answered 404/);
  });
});

Deno.test("where nothing could be read and that may change, the task is tried again", async () => {
  const answer = (status: number) => () =>
    new Response(null, { status, headers: { "retry-after": `${status}` } });
  await site({ "/503": answer(503), "/429": answer(429) }, async (origin) => {
    const failure = await failureOf(scrape({ urls: [`${origin}/429`, `${origin}/503`] }));
    assert.deepEqual([failure.code, failure.retryable, failure.retryAfter], [
      "upstream_status",
      true,
      503_000,
    ]);
    const { pages, skipped } = await scrape({ urls: [`${origin}/503`, `${origin}/404`] });
    assert.deepEqual([pages.length, skipped.length], [0, 2], "one of them will never be there");
  });
});

Deno.test("the results stay within what a result may have", async () => {
  await site({ "/": `<p>${"x".repeat(9_000)}</p>`.repeat(30) }, async (origin) => {
    const { pages, skipped } = await scrape({
      urls: [1, 2, 3].map((n) => `${origin}/?${n}`),
      select: { all: { selector: "p", all: true } },
    });
    assert.ok(JSON.stringify(pages).length < 2 ** 20);
    assert.deepEqual([pages.length, skipped.map(({ reason }) => reason)], [1, [
      "result_too_large",
      "result_too_large",
    ]]);
  });
});

Deno.test("a selector that there is not is the task's fault, and refused at POST where its grammar tells", async () => {
  const select = (selector: string) => ({ urls: ["http://127.0.0.1/"], select: { a: { selector } } });
  for (const wrong of ["", "a[", "a >> b", "div, ", ".a ".repeat(40), "p:"]) {
    const { error } = definition.input.safeParse(select(wrong));
    assert.deepEqual(error?.issues[0]?.path, ["select", "a", "selector"], wrong);
  }
  await site({ "/": "<p>" }, async (url) => {
    const failure = await failureOf(scrape({ ...select("p:no-such-thing"), urls: [url] }));
    assert.deepEqual([failure.code, failure.retryable], ["invalid_input", false]);
  });
});

for (
  const [what, input, at] of [
    ["nothing to read", {}, "urls"],
    ["both", { urls: ["https://example.com"], sitemap: "https://example.com/sitemap.xml" }, "urls"],
    ["a target inside", { urls: ["http://192.168.0.1/"] }, "urls/0"],
    ["too deep", { urls: ["https://example.com"], follow: { selector: "a", depth: 4 } }, "follow/depth"],
    ["less pages than there are", { urls: Array(3).fill("https://example.com"), maxPages: 2 }, "maxPages"],
    [
      "a name that is none",
      { urls: ["https://example.com"], select: { __proto__x: { selector: "a" } } },
      "select/__proto__x",
    ],
  ] as const
) {
  Deno.test(`${what} is refused`, () => {
    const { error } = definition.input.safeParse(input);
    assert.equal(error?.issues[0]?.path.join("/"), at);
  });
}
