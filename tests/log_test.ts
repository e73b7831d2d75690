import assert from "node:assert/strict";
import { createLog } from "../log.ts";

Deno.test("braces in messages come out as they are, with facts and without", () => {
  const lines: string[] = [];
  const { info } = console;
  console.info = (line: string) => lines.push(line);
  try {
    const log = createLog("info");
    log("info", "a {b} {{c}}");
    log("info", "a {b} {{c}}", { b: 1 });
  } finally {
    console.info = info;
  }
  assert.deepEqual(lines.map((line) => JSON.parse(line).message), ["a {b} {{c}}", "a {b} {{c}}"]);
});
