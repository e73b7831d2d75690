import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { commandLine } from "../../workers/permissions.ts";

const url = (path: string) => new URL(`../../${path}`, import.meta.url).href;

Deno.test("runners of Errand's own types load the packages of its lock, and never others", () => {
  const own = commandLine({}, [url("tasks/generate_pdf.ts"), url("tasks/sleep.ts")], 64);
  assert.ok(own.includes(`--lock=${fileURLToPath(url("deno.lock"))}`));
  assert.ok(own.includes("--frozen"));
  // Whose packages nobody here knows.
  const others = commandLine({}, [url("tasks/sleep.ts"), url("tests/fixtures/sleep.ts")], 64);
  assert.ok(others.includes("--no-lock") && !others.includes("--frozen"));
});
