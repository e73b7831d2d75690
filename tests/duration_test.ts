import assert from "node:assert/strict";
import fc from "fast-check";
import { parseDuration } from "../tasks/mod.ts";

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

Deno.test("durations are read in both of their notations", () => {
  const durations = {
    "500ms": 500,
    "30s": 30_000,
    "1.5s": 1_500,
    "1h 5m": 3_900_000,
    "1h5m": 3_900_000,
    "7d": 604_800_000,
    " 2 m ": 120_000,
    "0s": 0,
    "PT30S": 30_000,
    "PT0.5S": 500,
    "P1DT2H": 93_600_000,
    "P1D": 86_400_000,
    "PT1H5M": 3_900_000,
  };
  for (const [text, milliseconds] of Object.entries(durations)) {
    assert.equal(parseDuration(text), milliseconds, text);
  }
});

Deno.test("a duration that was written in short parts is read again", () => {
  const part = fc.tuple(fc.nat(10_000), fc.constantFrom(...Object.entries(UNITS)));
  const parts = fc.array(part, { minLength: 1, maxLength: 5 });
  fc.assert(fc.property(parts, fc.constantFrom("", " "), (parts, gap) => {
    const text = parts.map(([amount, [unit]]) => `${amount}${unit}`).join(gap);
    const total = parts.reduce((sum, [amount, [, factor]]) => sum + amount * factor, 0);
    assert.equal(parseDuration(text), total);
  }));
});

Deno.test("a duration that was written as ISO 8601 is read again", () => {
  const part = fc.option(fc.nat(9_999), { nil: undefined });
  fc.assert(fc.property(part, part, part, part, (days, hours, minutes, seconds) => {
    const write = (amount: number | undefined, unit: string) =>
      amount === undefined ? "" : `${amount}${unit}`;
    const time = write(hours, "H") + write(minutes, "M") + write(seconds, "S");
    const text = `P${write(days, "D")}${time === "" ? "" : `T${time}`}`;
    const total = (days ?? 0) * UNITS.d + (hours ?? 0) * UNITS.h + (minutes ?? 0) * UNITS.m +
      (seconds ?? 0) * UNITS.s;
    assert.equal(parseDuration(text), text === "P" ? undefined : total);
  }));
});

Deno.test("what is no duration is undefined", () => {
  const junk = [
    "",
    " ",
    "5",
    "s",
    "-1s",
    "+1s",
    "1e3s",
    "1.s",
    ".5s",
    "1 week",
    "P",
    "PT",
    "P1DT",
    "P1Y",
    "P1M",
  ];
  junk.push(
    "PT1H30",
    "pt1s",
    "1S",
    "1s,2s",
    "1s x",
    "١s",
    "Infinity",
    "NaN",
    "P1W",
    "0x1s",
    "1".repeat(64) + "s",
  );
  for (const text of junk) assert.equal(parseDuration(text), undefined, text);
});

Deno.test("no text makes it throw, and what it gives is a whole number that is not negative", () => {
  const near = fc.stringMatching(/^[0-9.smhdPTDHMS ]*$/);
  fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary" }), near), (text) => {
    const duration = parseDuration(text);
    assert.ok(duration === undefined || (Number.isInteger(duration) && duration >= 0), text);
  }));
});

Deno.test("a hostile text takes no time", () => {
  const started = performance.now();
  for (
    const text of ["1".repeat(1e6), "1s".repeat(1e6), "1.1".repeat(21), " ".repeat(1e6), "1 ".repeat(32)]
  ) {
    parseDuration(text);
  }
  assert.ok(performance.now() - started < 100);
});
