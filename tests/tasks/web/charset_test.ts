import assert from "node:assert/strict";
import { decodePage, decodeText } from "../../../tasks/lib/web/charset.ts";

const latin1 = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const GRUESSE = "Gr\xfc\xdfe";
const UTF8 = "Gr\xc3\xbc\xc3\x9fe";
const UTF16 = "\xff\xfeG\0r\0\xfc\0\xdf\0e\0";

for (
  const [what, bytes, type, expected] of [
    ["the header's", GRUESSE, "text/html; charset=ISO-8859-1", "Grüße"],
    ["the header's, quoted", GRUESSE, 'text/html; x=y; Charset="latin1"', "Grüße"],
    [
      "the header's, where a meta element differs",
      `${UTF8}<meta charset=latin1>`,
      "a/b;charset=utf-8",
      /^Grüße</,
    ],
    ["a meta element's", `<meta charset="windows-1252">${GRUESSE}`, "text/html", /Grüße$/],
    [
      "an old meta element's",
      `<META http-equiv=Content-Type content="a/b; charset=koi8-r">\xe7\xd2`,
      null,
      /Гр$/,
    ],
    ["no comment's", `<!-- <meta charset="koi8-r"> -->${GRUESSE}`, null, /Grüße$/],
    ["UTF-8, where a meta element in ASCII says UTF-16", `<meta charset="utf-16">${UTF8}`, null, /Grüße$/],
    ["the byte order mark's, whatever else says", UTF16, "text/html; charset=utf-8", "Grüße"],
    ["Shift_JIS", "\x8a\xbf\x8e\x9a", "text/html; charset=shift_jis", "漢字"],
    ["UTF-8, where nobody says", UTF8, null, "Grüße"],
    ["Windows-1252, where nobody says and it is no UTF-8", GRUESSE, "text/html", "Grüße"],
    ["one that there is, where the header's is none", GRUESSE, "text/html; charset=klingon", "Grüße"],
  ] as const
) {
  Deno.test(`the encoding of a page is ${what}`, () => {
    const text = decodePage(latin1(bytes), type);
    if (typeof expected === "string") assert.equal(text, expected);
    else assert.match(text, expected);
  });
}

Deno.test("a text is in the encoding of its byte order mark, of its header, or UTF-8", () => {
  assert.equal(decodeText(latin1(UTF16), "text/plain; charset=latin1"), "Grüße");
  assert.equal(decodeText(latin1(GRUESSE), "text/plain; charset=latin1"), "Grüße");
  assert.equal(decodeText(latin1(`\xef\xbb\xbf${UTF8}`), null), "Grüße");
  assert.equal(decodeText(latin1(GRUESSE), null), "Gr\ufffd\ufffde");
});
