import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { commandLine } from "../workers/permissions.ts";

/** The arrows of `docs/architecture.md`: which room may import what. `types` are imports that vanish at run time. */
const ARROWS: Readonly<Record<string, { code: RegExp; types?: RegExp }>> = {
  routes: { code: /^(routes|queue)\/|^tasks\/mod\.ts$/, types: /^tasks\/lib\/registry\.ts$/ },
  workers: { code: /^workers\/|^tasks\/mod\.ts$|^deno\.json$/, types: /^queue\/|^tasks\/lib\/registry\.ts$/ },
  queue: { code: /^queue\// },
  tasks: { code: /^tasks\/(mod\.ts|lib\/)/ },
  client: { code: /^client\//, types: /^tasks\/|^routes\/problem\.ts$/ },
};

interface Module {
  specifier: string;
  dependencies?: { specifier: string; code?: { specifier?: string }; type?: { specifier?: string } }[];
}

const ROOT = new URL("../", import.meta.url).href;
const inside = (url: string | undefined) => url?.startsWith(ROOT) ? url.slice(ROOT.length) : undefined;

async function modulesOf(...roots: string[]): Promise<Module[]> {
  return await modulesAs([], ...roots);
}

async function modulesAs(options: string[], ...roots: string[]): Promise<Module[]> {
  const all: Module[] = [];
  for (const root of roots) {
    const args = ["info", "--json", ...options, fileURLToPath(new URL(root, ROOT))];
    const { stdout } = await promisify(execFile)(Deno.execPath(), args, { maxBuffer: 2 ** 26 });
    all.push(...JSON.parse(stdout).modules);
  }
  return all;
}

Deno.test("every import follows an arrow of the architecture", async () => {
  const tasks = [...Deno.readDirSync(new URL("tasks/", ROOT))].filter((f) => f.isFile).map((f) =>
    `tasks/${f.name}`
  );
  const modules = await modulesOf("main.ts", "mod.ts", "workers/runner.ts", "workers/worker.ts", ...tasks);
  const wrong = new Set<string>();
  const seen = new Set<string>();
  for (const { specifier, dependencies = [] } of modules) {
    const from = inside(specifier);
    const room = from?.split("/")[0] ?? "";
    if (from === undefined || !(room in ARROWS)) continue;
    seen.add(room);
    const { code, types } = ARROWS[room]!;
    for (const dependency of dependencies) {
      const runs = inside(dependency.code?.specifier);
      const typed = inside(dependency.type?.specifier);
      if (runs !== undefined && !code.test(runs)) wrong.add(`${from} → ${runs}`);
      if (typed !== undefined && !code.test(typed) && !types?.test(typed)) {
        wrong.add(`${from} → ${typed} (type)`);
      }
    }
  }
  assert.deepEqual([...seen].sort(), Object.keys(ARROWS).sort());
  assert.deepEqual([...wrong], []);
});

Deno.test("a runner loads what task files need, and nothing of the service or its clients", async () => {
  const args = commandLine({}, [], 64);
  const options = args.filter((arg) => /^--(?:no-config$|import-map=)/.test(arg));
  const modules = await modulesAs(
    options,
    "tests/fixtures/throws.ts",
    "examples/tasks/word_count.ts",
    "mod.ts",
  );
  const loaded = modules.flatMap(({ specifier }) => inside(specifier) ?? []);
  assert.ok(loaded.includes("tasks/mod.ts"));
  const strange = loaded.filter((path) => !/^(?:tasks\/|tests\/fixtures\/|examples\/tasks\/)/.test(path));
  assert.deepEqual(strange, []);
});

Deno.test("a client is made of web standards alone", async () => {
  const modules = await modulesOf("client/mod.ts");
  const foreign = modules.flatMap(({ specifier, dependencies = [] }) =>
    inside(specifier)?.startsWith("client/")
      ? dependencies.flatMap(({ code }) => code?.specifier ?? []).filter((url) =>
        !inside(url)?.startsWith("client/")
      )
      : []
  );
  assert.deepEqual(foreign, []);
});

Deno.test("BullMQ, SQLite and SMTP live where they belong", async () => {
  const modules = await modulesOf("main.ts");
  const heavy = modules.flatMap(({ specifier, dependencies = [] }) =>
    dependencies
      .filter(({ specifier, code }) =>
        code &&
        /^(npm:)?(bullmq|ioredis|nodemailer|sharp|pdfmake|postgres|echarts|htmlparser2|linkedom|@e965)/.test(
          specifier,
        )
      )
      .map((dependency) => `${inside(specifier)} → ${dependency.specifier}`)
  );
  assert.deepEqual(heavy, [], "the API process loads none of them at start");
});
