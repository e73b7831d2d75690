import assert from "node:assert/strict";
import { z } from "zod";
import { asHtml, asText, Template, template } from "../../../tasks/lib/bulk/template.ts";

const filled = (text: string, values: Record<string, string>, escape = asText) =>
  new Template(text, escape).render(new Map(Object.entries(values)));

Deno.test("places are filled, as often as they occur, and nothing else is", () => {
  const values = { name: "Ada", "first name": "A. {{name}}", 'o"rder': "$&" };
  assert.equal(
    filled('{{name}}, {{ first name }}: {{o"rder}} {{name}} }} { { {a}', values),
    "Ada, A. {{name}}: $& Ada }} { { {a}",
  );
});

Deno.test("in HTML what fills a place is text, whatever it holds", () => {
  const values = { x: `<img src="x" onerror='alert(1)'>&amp;` };
  assert.equal(
    filled('<p title="{{x}}">{{x}}</p>', values, asHtml),
    '<p title="&lt;img src=&quot;x&quot; onerror=&#39;alert(1)&#39;&gt;&amp;amp;">' +
      "&lt;img src=&quot;x&quot; onerror=&#39;alert(1)&#39;&gt;&amp;amp;</p>",
  );
});

Deno.test("a place may say what stands there for those who have nothing", () => {
  assert.equal(filled("Dear {{name|friend}}{{x|}},", { name: "" }), "Dear friend,");
  const text = new Template("{{a}} {{b|}} {{c}}", asText);
  assert.equal(text.missing(new Map([["a", "1"], ["c", ""]])), "c");
  assert.equal(text.missing(new Map([["a", "1"], ["c", "0"]])), undefined);
});

for (
  const [text, fits] of [["{{name", false], ["{{}}", false], ["{{ }}", false], ["{{a}}{{", false], [
    "}} {a}",
    true,
  ]] as const
) {
  Deno.test(`${text} is ${fits ? "a" : "no"} template`, () => {
    assert.equal(template(z.string()).safeParse(text).success, fits);
  });
}

Deno.test("no template takes longer than its length", () => {
  for (const piece of ["{{", "{{a|", "{{a", "{", "{{ "]) {
    const began = performance.now();
    template(z.string()).safeParse(piece.repeat(300_000));
    assert.ok(performance.now() - began < 5_000, piece);
  }
});
