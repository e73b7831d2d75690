/** The bodies, as the services document them. */
import assert from "node:assert/strict";
import { discordBody, discordUrl } from "../../../tasks/lib/notify/discord.ts";
import { fit, type Message } from "../../../tasks/lib/notify/message.ts";
import { ntfyBody, ntfyUrl, topicOf } from "../../../tasks/lib/notify/ntfy.ts";
import { slackBody } from "../../../tasks/lib/notify/slack.ts";
import { teamsBody } from "../../../tasks/lib/notify/teams.ts";

const PLAIN: Message = {
  title: "Backup done",
  text: "All 12 databases.\nNo errors é 中 😀",
  url: "https://example.com/a?b=1&c=2",
  level: "success",
};
/** Whatever calls people, or is more than text, in one of the services. */
const EVIL: Message = {
  title: "<!channel> @everyone *x*",
  text:
    "<!here> <@U123> <https://evil.example|click> & &lt; @everyone <@&1> [a](http://b) **bold** `code`\n# big\n- x",
  level: "error",
};
/** Of the longest title and text that a task may have, in characters that grow when they are escaped. */
const LONG: Message = { title: "&".repeat(200), text: "<*😀".repeat(2_500), level: "warning" };

Deno.test("Slack: Block Kit, of plain text alone but for the link", () => {
  assert.deepEqual(slackBody(PLAIN), {
    text: "✅ Backup done",
    blocks: [
      { type: "header", text: { type: "plain_text", text: "✅ Backup done" } },
      { type: "section", text: { type: "plain_text", text: PLAIN.text } },
      {
        type: "section",
        text: { type: "mrkdwn", text: "<https://example.com/a?b=1&amp;c=2>", verbatim: true },
      },
    ],
    unfurl_links: false,
    unfurl_media: false,
  });
});

Deno.test("Slack: nobody is mentioned, and no link is another one than it seems", () => {
  const texts = JSON.stringify(slackBody(EVIL));
  assert.doesNotMatch(texts, /<(?:!|@|http)/);
  assert.match(texts, /&lt;!here&gt; &lt;@U123&gt; .* &amp; &amp;lt; @everyone/);
  const { blocks } = slackBody({ ...PLAIN, url: "https://example.com/|x>y" }) as {
    blocks: { text: { text: string } }[];
  };
  assert.equal(blocks[2]?.text.text, "<https://example.com/%7Cx&gt;y>");
});

Deno.test("Slack: a header has 150 characters at most, a section 3,000", () => {
  const { blocks } = slackBody(LONG) as { blocks: { text: { text: string } }[] };
  assert.ok(blocks[0]!.text.text.length <= 150 && blocks[0]!.text.text.endsWith("&amp;…"));
  assert.ok(blocks[1]!.text.text.length <= 3_000 && blocks[1]!.text.text.endsWith("…"));
});

Deno.test("Discord: an embed, whose text is text, and which calls nobody", () => {
  assert.deepEqual(discordBody({ ...PLAIN, title: "a_b", text: "**x** [a](b) @everyone <@1> 😀" }), {
    embeds: [{
      title: "a\\_b",
      description: "\\*\\*x\\*\\* \\[a\\]\\(b\\) \\@everyone \\<\\@1\\> 😀",
      url: PLAIN.url,
      color: 0x2ecc71,
    }],
    allowed_mentions: { parse: [] },
  });
  assert.equal(
    discordUrl(new URL("https://discord.com/api/webhooks/1/abc?thread_id=5")).href,
    "https://discord.com/api/webhooks/1/abc?thread_id=5&wait=true",
  );
});

Deno.test("Discord: a title has 256 characters at most, a description 4,096, both together 6,000", () => {
  const { embeds: [embed] } = discordBody(LONG) as { embeds: { title: string; description: string }[] };
  assert.ok(embed!.title.length <= 256 && embed!.description.length <= 4_096);
  assert.ok(embed!.title.length + embed!.description.length <= 6_000);
});

Deno.test("Teams: an Adaptive Card in a message, of text runs, which know no Markdown", () => {
  const body = teamsBody({ ...PLAIN, text: "**a**\n\n[b](c)" }) as {
    type: string;
    attachments: { contentType: string; contentUrl: null; content: Record<string, unknown> }[];
  };
  assert.equal(body.type, "message");
  const { contentType, contentUrl, content } = body.attachments[0]!;
  assert.deepEqual([contentType, contentUrl], ["application/vnd.microsoft.card.adaptive", null]);
  const run = (text: string, style = {}) => ({
    type: "RichTextBlock",
    inlines: [{ type: "TextRun", text, ...style }],
  });
  assert.deepEqual(content, {
    $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
    type: "AdaptiveCard",
    version: "1.4",
    body: [
      run("Backup done", { weight: "bolder", size: "medium", color: "good" }),
      run("**a**"),
      run("[b](c)"),
    ],
    actions: [{ type: "Action.OpenUrl", title: "Open", url: PLAIN.url }],
    msteams: { width: "Full" },
  });
});

Deno.test("Teams: a message has less than 28 KB, however long its lines, or however many", () => {
  for (const text of [LONG.text, "x\n".repeat(5_000), "中".repeat(10_000), '"'.repeat(10_000)]) {
    const size = new TextEncoder().encode(JSON.stringify(teamsBody({ ...LONG, text }))).length;
    assert.ok(size < 28_000, `${size}`);
  }
});

Deno.test("ntfy: JSON, to the root, with the topic in it", () => {
  const url = new URL("https://ntfy.example/my-Topic_1");
  assert.deepEqual([ntfyUrl(url).href, topicOf(url)], ["https://ntfy.example/", "my-Topic_1"]);
  assert.deepEqual(ntfyBody(PLAIN, "t"), {
    topic: "t",
    title: "Backup done",
    message: PLAIN.text,
    priority: 3,
    tags: ["white_check_mark"],
    click: PLAIN.url,
    markdown: false,
  });
  assert.equal((ntfyBody(EVIL, "t") as { priority: number }).priority, 5);
  const { message } = ntfyBody(LONG, "t") as { message: string };
  assert.ok(new TextEncoder().encode(message).length <= 4_096);
  for (const path of ["", "/a/b", "/a b", `/${"x".repeat(65)}`]) {
    assert.equal(topicOf(new URL(`https://ntfy.example${path}`)), undefined, path);
  }
});

Deno.test("what does not fit is cut between what people see as letters", () => {
  const family = "👩‍👩‍👧";
  assert.equal(fit("abcdef", 6), "abcdef");
  assert.equal(fit("abcdefg", 6), "abcde…");
  assert.equal(fit(`abc${family}x`, 8), "abc…");
  assert.equal(fit("a<<<", 10, (text) => text.replaceAll("<", "&lt;")), "a&lt;&lt;…");
  assert.equal(fit("<", 3, (text) => text.replaceAll("<", "&lt;")), "…");
});
