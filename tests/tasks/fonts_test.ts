import assert from "node:assert/strict";
import fc from "fast-check";
import { FAMILIES, Fonts, loadFonts } from "../../tasks/lib/fonts.ts";

const { outlines } = await loadFonts();
const runsOf = (text: string) => new Fonts(outlines).runs(text).map(({ text, font }) => [font, text]);

for (
  const [text, runs] of [
    ["Straße, é € “x”", [["Latin", "Straße, é € “x”"]]],
    ["Ελληνικά Кириллица", [["Latin", "Ελληνικά Кириллица"]]],
    ["a 中 文 b", [["Latin", "a "], ["Han", "中 文 "], ["Latin", "b"]]],
    ["✓ ok", [["Han", "✓ "], ["Latin", "ok"]]],
    ["x 👩‍👩‍👧 🇩🇪", [["Latin", "x "], ["Emoji", "👩‍👩‍👧"], ["Latin", " "], ["Emoji", "🇩🇪"]]],
    ["1 1️⃣", [["Latin", "1 "], ["Emoji", "1️⃣"]]],
    ["a\tb\r\nc\u2028d", [["Latin", "a b\nc\nd"]]],
    ["a\u0000b\u00adc\u202ed\ufeff\ud800", [["Latin", "abcd"]]],
    ["e\u0301", [["Latin", "e\u0301"]]],
    ["", [["Latin", ""]]],
  ] as const
) {
  Deno.test(`${JSON.stringify(text)} is printed in ${runs.map(([font]) => font).join(", ")}`, () => {
    assert.deepEqual(runsOf(text), runs);
  });
}

Deno.test("every run is in a font that has it, or its characters are told as missing", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
    const fonts = new Fonts(outlines);
    for (const run of fonts.runs(text)) {
      assert.ok(FAMILIES.includes(run.font));
      assert.ok(run.text.isWellFormed());
      if (run.font === "Emoji") continue;
      for (const character of run.text.replaceAll("\n", "")) {
        const has = outlines[run.font].hasGlyphForCodePoint(character.codePointAt(0)!);
        assert.ok(has || [...fonts.missing].some((missing) => missing.includes(character)), character);
      }
    }
  }));
});

Deno.test("a text is as wide as its parts, whatever fonts they are in", () => {
  const fonts = new Fonts(outlines);
  const [whole, ...parts] = ["ab中😀", "ab", "中", "😀"].map((text) => fonts.width(text, 10)) as [
    number,
    ...number[],
  ];
  assert.ok(Math.abs(whole - parts.reduce((sum, part) => sum + part)) < 1e-9);
  assert.equal(fonts.width("中", 12), 12);
});
