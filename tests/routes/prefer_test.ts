import assert from "node:assert/strict";
import fc from "fast-check";
import { waitOf } from "../../routes/waiting/prefer.ts";

Deno.test("Prefer: wait is found as RFC 7240 writes it", () => {
  const waits: [prefer: string, seconds: number][] = [
    ["wait=10", 10],
    ["WAIT = 10", 10],
    ["wait=007", 7],
    ['wait="10"', 10],
    ["respond-async, wait=10", 10],
    ["respond-async,,wait=10 ; strict; a=b", 10],
    ['lenient="a, wait=3", wait=10', 10],
    ['lenient="a\\", wait=3", wait=10', 10],
    ["wait=10, wait=20", 10],
    ["wait=99999999999999999999", 1e20],
    ["", 0],
    ["wait", 0],
    ["wait=", 0],
    ['wait=""', 0],
    ["wait=-1", 0],
    ["wait=1.5", 0],
    ["wait=10s", 0],
    ['wait="10', 0],
    ["wait=x, wait=20", 0],
    ["await=10", 0],
    ["wait-for=10", 0],
    ["return=minimal; wait=10", 0],
    [`${" ".repeat(1_000)}wait=10`, 0],
  ];
  for (const [prefer, seconds] of waits) assert.equal(waitOf(prefer), seconds, prefer);
});

Deno.test("Prefer: wait is found among whatever other preferences there are", () => {
  const token = fc.stringMatching(/^[a-z!#$%&'*+.^_`|~-]{1,8}$/).filter((name) => name !== "wait");
  const value = fc.oneof(token, fc.stringMatching(/^"(?:[ !#-[\]-~]|\\["\\a-z])*"$/));
  const preference = fc.tuple(token, fc.option(value)).map(([name, value]) =>
    value === null ? name : `${name}=${value}`
  );
  const gap = fc.constantFrom("", " ", "\t", "  ");
  fc.assert(
    fc.property(
      fc.array(preference, { maxLength: 5 }),
      fc.array(preference, { maxLength: 5 }),
      gap,
      (a, b, gap) => {
        const prefer = [...a, "wait=42", ...b].join(`${gap},${gap}`);
        assert.equal(waitOf(prefer), prefer.length > 1_000 ? 0 : 42, prefer);
      },
    ),
  );
});

Deno.test("Prefer: whatever it says, a wait is a whole number of seconds", () => {
  fc.assert(fc.property(fc.string({ maxLength: 2_000 }), (prefer) => assert.ok(waitOf(prefer) >= 0)));
});
