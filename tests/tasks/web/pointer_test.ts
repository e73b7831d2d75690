import assert from "node:assert/strict";
import fc from "fast-check";
import { pointed, pointer } from "../../../tasks/lib/web/pointer.ts";

/** RFC 6901, section 5. */
const DOCUMENT = {
  foo: ["bar", "baz"],
  "": 0,
  "a/b": 1,
  "c%d": 2,
  "e^f": 3,
  "g|h": 4,
  "i\\j": 5,
  'k"l': 6,
  " ": 7,
  "m~n": 8,
};

Deno.test("the RFC's own examples point to what it says", () => {
  const expected = { "": DOCUMENT, "/foo": DOCUMENT.foo, "/foo/0": "bar", "/": 0, "/a~1b": 1, "/c%d": 2 };
  const more = { "/e^f": 3, "/g|h": 4, "/i\\j": 5, '/k"l': 6, "/ ": 7, "/m~0n": 8 };
  for (const [text, value] of Object.entries({ ...expected, ...more })) {
    assert.deepEqual(pointed(DOCUMENT, pointer.parse(text)), value, text);
  }
});

Deno.test("whatever is in a JSON value, its pointer finds it", () => {
  const escape = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1");
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const visit = (inner: unknown, path: string) => {
      assert.ok(Object.is(pointed(value, pointer.parse(path)), inner));
      if (typeof inner !== "object" || inner === null) return;
      for (const [key, next] of Object.entries(inner)) {
        if (path.length + key.length < 400) visit(next, `${path}/${escape(key)}`);
      }
    };
    visit(value, "");
  }));
});

Deno.test("no text that is a pointer makes it throw, or find what JSON has not", () => {
  const part = fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "length", "0", "-", "01"));
  fc.assert(fc.property(fc.jsonValue(), fc.array(part), (value, parts) => {
    const text = parts.map((part) => `/${part}`).join("");
    if (!pointer.safeParse(text).success) return;
    const found = pointed(value, text);
    assert.ok(found === undefined || JSON.stringify(value).includes(JSON.stringify(found)));
  }));
});
