import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import assert from "node:assert/strict";
import fc from "fast-check";
import { uuidv7 } from "uuidv7";
import type { Store } from "../../queue/store.ts";
import { createAdmit } from "../../routes/admit.ts";
import { OPERATIONS } from "../../routes/describe/document.ts";
import type { Operation } from "../../routes/describe/operation.ts";
import { bearer, KeyFile } from "./key_file.ts";
import { requestOf, type Sent } from "./openapi_requests.ts";
import type { Json } from "./schema_arbitrary.ts";
import { type Bench, bench, claim, routesOf, type Setting, submit, typeOf } from "./support.ts";
import { TempFiles } from "./temp_files.ts";

/** Requests that follow each other on one service, and services. Together they take a few seconds. */
const REQUESTS = { minLength: 1, maxLength: 40, size: "max" } as const;
const RUNS = 80;
const RUNS_WITH_KEYS = 30;

// The document of these types; it is the same for every service below.
const types: Setting["types"] = [typeOf("broken", undefined, "has a syntax error")];
const document: Json = await (await bench({ types }).app.request("/openapi.json")).json();
/** Those that there are routes for; another test says which are missing. */
const operations = await (async () => {
  using temp = await TempFiles.open({ get: () => Promise.resolve(undefined) });
  const routes = routesOf(bench({ files: temp.files }).app);
  return OPERATIONS.filter(({ method, path }) => routes.includes(`${method.toUpperCase()} ${path}`));
})();
const components = closed(document.components);
const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);

/** Clients are to expect more fields than they know; here one that is not described is a mistake. */
function closed(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(closed);
  const inner = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, closed(each)]));
  const open = inner.type === "object" && inner.properties !== undefined;
  return open && inner.additionalProperties === undefined ? { ...inner, additionalProperties: false } : inner;
}

Deno.test("whatever is sent, the answer is one that the document describes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(requestOf(operations, document), REQUESTS), async (requests) => {
      await using world = await World.open({});
      for (const request of requests) await world.send(request);
    }),
    { numRuns: RUNS },
  );
});

Deno.test("whoever asks with whatever key, the answer is one that the document describes", async () => {
  using file = new KeyFile();
  const credentials: Sent["headers"][] = [
    {},
    { authorization: "Bearer nonsense" },
    bearer(file.add("ada")),
    bearer(file.add("ada", "--scopes", "read")),
    bearer(file.add("bob", "--scopes", "submit")),
  ];
  const admit = () => createAdmit(file.ring({ rate: { quota: 6, window: 3600 } }), Date.now);
  const asked = fc.tuple(requestOf(operations, document), fc.constantFrom(...credentials));
  await fc.assert(
    fc.asyncProperty(fc.array(asked, REQUESTS), async (requests) => {
      await using world = await World.open({ admit: admit() });
      for (const [request, headers] of requests) {
        await world.send({ ...request, headers: { ...request.headers, ...headers } });
      }
    }),
    { numRuns: RUNS_WITH_KEYS },
  );
});

/** A service with something of everything in it. */
class World implements AsyncDisposable {
  /** Ids that are there, by the path that they go with. */
  readonly #ids: Record<string, string[]> = {};

  private constructor(readonly bench: Bench, readonly temp: TempFiles) {}

  static async open(setting: Setting): Promise<World> {
    const tasks: Pick<Store, "get"> = { get: (owner, id) => made.store.get(owner, id) };
    const temp = await TempFiles.open(tasks);
    const made = bench({ types, files: temp.files, bounds: { maxTasks: 12 }, ...setting });
    const world = new World(made, temp);
    if (setting.admit === undefined) await world.#fill();
    return world;
  }

  /** Tasks of every status, with all that a task can have. */
  async #fill(): Promise<void> {
    const { app, store, pass } = this.bench;
    const run = async () => {
      const { id } = await submit(app, { priority: 100, metadata: { a: 1 } });
      this.#remember("/v1/tasks", id);
      return await claim(store);
    };
    const error = { code: "timeout", message: "m", retryable: true, attempt: 1, at: Date.UTC(2030, 0, 1) };
    const failed = { error, crashes: 0 };
    await store.settle([{ token: await run(), to: "failed", ...failed }]);
    pass(70_000);
    await store.sweep(10);
    await store.settle([{ token: await run(), to: "succeeded", result: '{"a":[1,null]}' }]);
    await store.settle([{ token: await run(), to: "succeeded", result: undefined }]);
    await store.settle([{ token: await run(), to: "failed", ...failed }]);
    const later = { alone: false, runAt: Date.UTC(2040, 0, 1) };
    await store.settle([{ token: await run(), to: "scheduled", ...failed, ...later }]);
    const token = await run();
    const line = { at: 0, level: "info", message: "m" } as const;
    await store.report([{ token, progress: { current: 1, total: 2, message: "m" }, log: [line] }]);
    this.#remember("/v1/tasks", (await submit(app)).id);
    const upload = await app.request("/v1/files", { method: "POST", body: "content" });
    this.#remember("/v1/files", (await upload.json()).id);
  }

  #remember(path: string, id: unknown): void {
    if (typeof id === "string") (this.#ids[path] ??= []).push(id);
  }

  async send({ operation: id, path, query, headers, body }: Sent): Promise<void> {
    const operation = OPERATIONS.find((each) => each.id === id)!;
    const { method } = operation;
    const place = operation.path.replace(
      /\{(\w+)\}/g,
      (_, name) => encodeURIComponent(this.#named(operation, path[name]!)),
    );
    const search = new URLSearchParams(query.map(([name, value]) => [name, value.toWellFormed()]));
    const init = { method: method.toUpperCase(), headers, body };
    const answer = await this.bench.app.fetch(new Request(`http://localhost${place}?${search}`, init));
    await this.#check(
      operation,
      answer,
      `${init.method} ${place}?${search} ${JSON.stringify({ headers, body })}`,
    );
  }

  #named(operation: Operation, value: string | number): string {
    const known = this.#ids[operation.path.split("/{")[0]!] ?? [];
    return typeof value === "string" ? value.toWellFormed() : known[value % known.length] ?? uuidv7();
  }

  async #check({ path, method }: Operation, answer: Response, sent: string): Promise<void> {
    const { status, headers } = answer;
    const described = document.paths[path][method].responses[status];
    const stream = headers.get("content-type")?.startsWith("text/event-stream") ?? false;
    const text = stream ? (await answer.body?.cancel(), "") : await answer.text();
    const told = `${sent} → ${status} ${text.slice(0, 500)}`;
    assert.deepEqual(this.bench.logged, [], told);
    assert.ok(described, `the status is not described: ${told}`);
    // 507: the disk that these files may use is small.
    assert.ok(status < 500 || status === 503 || status === 507, told);
    checkHeaders(headers, described.headers ?? {}, told);
    checkContent(headers.get("content-type"), text, described.content, stream, told);
    const [, place, id] = /^(.*)\/([^/]+)$/.exec(headers.get("location") ?? "") ?? [];
    if (place !== undefined) this.#remember(place, id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bench.store.close();
    this.temp[Symbol.dispose]();
  }
}

/** Those that say nothing of the answer's meaning. */
const UNSAID = [
  "content-type",
  "content-length",
  "x-content-type-options",
  "content-security-policy",
  "referrer-policy",
];

function checkHeaders(headers: Headers, described: Record<string, Json>, told: string): void {
  for (const [name, { required, schema }] of Object.entries(described)) {
    const value = headers.get(name);
    assert.ok(value !== null || !required, `${name} is missing: ${told}`);
    if (value === null) continue;
    const typed = schema.type === "integer" ? Number(value) : value;
    assert.ok(ajv.validate(schema, typed), `${name}: ${value} does not fit: ${told}`);
  }
  const names = Object.keys(described).map((name) => name.toLowerCase());
  for (const [name] of headers) {
    assert.ok(UNSAID.includes(name) || names.includes(name), `the header ${name} is not described: ${told}`);
  }
}

function checkContent(type: string | null, text: string, content: Json, stream: boolean, told: string): void {
  if (content === undefined) return assert.deepEqual([type, text], [null, ""], told);
  const essence = type?.split(";")[0] ?? "";
  const described = content[essence] ?? content["*/*"];
  assert.ok(described, `the type ${type} is not described: ${told}`);
  const { schema } = described;
  if (stream || !/\bjson$/.test(essence) || schema === undefined || content["*/*"] === described) return;
  const validate = validatorOf(schema);
  assert.ok(validate(JSON.parse(text)), `${JSON.stringify(validate.errors)}: ${told}`);
}

const validators = new Map<string, ValidateFunction>();

function validatorOf(schema: Json): ValidateFunction {
  const text = JSON.stringify(schema);
  const known = validators.get(text) ?? ajv.compile({ ...schema, components });
  validators.set(text, known);
  return known;
}
