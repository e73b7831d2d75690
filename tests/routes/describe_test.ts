import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import fc from "fast-check";
import { z } from "zod";
import { STATUSES, type Task } from "../../queue/task.ts";
import { OPERATIONS } from "../../routes/describe/document.ts";
import { MEANINGS } from "../../routes/describe/problems.ts";
import { type ProblemCode, PROBLEMS } from "../../routes/problem.ts";
import { renderTask } from "../../routes/render.ts";
import { Task as TaskSchema } from "../../routes/schemas.ts";
import { defineTask } from "../../tasks/mod.ts";
import { ANY, bench, isProblem, post, routesOf, typeOf } from "./support.ts";
import { TempFiles } from "./temp_files.ts";

// deno-lint-ignore no-explicit-any -- what JSON.parse answers is any, too
type Json = Record<string, any>;

async function documentOf({ app }: ReturnType<typeof bench>): Promise<Json> {
  return await (await app.request("/openapi.json")).json();
}

Deno.test("every route is described, and nothing else", async () => {
  using temp = await TempFiles.open({ get: () => Promise.resolve(undefined) });
  const { app } = bench({ files: temp.files });
  const routes = routesOf(app);
  const described = OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  const without = (left: readonly string[], right: readonly string[]) =>
    left.filter((one) => !right.includes(one));
  assert.deepEqual(without(routes, described), [], "these routes are not described");
  assert.deepEqual(without(described, routes), [], "these are described, and are no routes");
});

Deno.test("the document is valid OpenAPI 3.1, whatever types there are", async () => {
  type Tree = { readonly children: readonly Tree[] };
  const tree: z.ZodType<Tree> = z.object({
    get children() {
      return z.array(tree);
    },
  });
  const named = z.object({ inner: z.object({ a: tree }).meta({ id: "Inner" }) });
  const settings = [
    { registry: new Map() },
    {},
    {
      types: [
        typeOf(
          "a-1",
          defineTask({ input: tree, result: named, run: () => ({ inner: { a: { children: [] } } }) }),
        ),
        typeOf("a1", ANY),
        typeOf("task", defineTask({ input: named, result: z.unknown(), run: () => 1 })),
        typeOf("broken", undefined, "has a syntax error"),
        typeOf("strange", defineTask({ input: z.custom(() => true).transform(() => 1n), run: () => 1 })),
      ],
    },
  ];
  for (const setting of settings) {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(await documentOf(bench(setting)));
    assert.ok(valid, JSON.stringify(errors, undefined, 2));
    assert.equal(validator.version, "3.1");
  }
});

Deno.test("what a document refers to is in it", async () => {
  type Tree = { readonly children: readonly Tree[] };
  const tree: z.ZodType<Tree> = z.object({
    get children() {
      return z.array(tree);
    },
  });
  const input = z.object({ left: tree, right: z.object({ tree }).meta({ id: "Right" }) });
  const document = await documentOf(bench({ types: [typeOf("trees", defineTask({ input, run: () => 1 }))] }));
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref!);
  assert.ok(refs.length > 100);
  for (const ref of new Set(refs)) {
    let at: unknown = document;
    for (const name of ref.replace(/^#\//, "").split("/")) at = (at as Json | undefined)?.[name];
    assert.ok(at !== undefined, ref);
  }
});

Deno.test("operation ids are unique, and every path parameter is described", async () => {
  const ids = OPERATIONS.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const { paths } = await documentOf(bench());
  for (const [path, operations] of Object.entries<Json>(paths)) {
    for (const { parameters } of Object.values<Json>(operations)) {
      const named = parameters.filter((each: Json) => each.in === "path").map((each: Json) =>
        `{${each.name}}`
      );
      assert.deepEqual(path.match(/\{\w+\}/g) ?? [], named);
    }
  }
});

Deno.test("each type's input and result are named schemas, and its body is chosen by type", async () => {
  const { components: { schemas }, paths } = await documentOf(bench());
  assert.deepEqual(schemas.SendEmailInput.required, ["to", "subject"]);
  assert.deepEqual(schemas.SendEmailResult.properties, { messageId: { type: "string" } });
  const { schema } = paths["/v1/tasks"].post.requestBody.content["application/json"];
  assert.equal(schema.$ref, "#/components/schemas/Submission");
  const { discriminator, oneOf } = schemas.Submission;
  const mapping = {
    "any": "#/components/schemas/AnySubmission",
    "send-email": "#/components/schemas/SendEmailSubmission",
  };
  assert.deepEqual(discriminator, { propertyName: "type", mapping });
  assert.deepEqual(oneOf, Object.values(mapping).map(($ref) => ({ $ref })));
  const { properties, required, additionalProperties } = schemas.SendEmailSubmission;
  assert.deepEqual(properties.type, { type: "string", const: "send-email" });
  assert.deepEqual(properties.input, { $ref: "#/components/schemas/SendEmailInput" });
  assert.deepEqual([required, additionalProperties], [["type", "input"], false]);
  assert.ok(properties.delay.description);
});

Deno.test("types whose names look the same when written together keep schemas of their own", async () => {
  const types = ["a-1", "a1", "a--1"].map((type) =>
    typeOf(type, defineTask({ input: z.literal(type), run: () => 1 }))
  );
  const { components: { schemas } } = await documentOf(bench({ types }));
  const { mapping } = schemas.Submission.discriminator;
  for (const [type] of types) {
    const { properties } = schemas[mapping[type].split("/").at(-1)];
    assert.equal(properties.type.const, type);
    assert.equal(schemas[properties.input.$ref.split("/").at(-1)].const, type);
  }
});

Deno.test("the document has an ETag and the program's version", async () => {
  const { app } = bench();
  const answer = await app.request("/openapi.json");
  assert.equal((await answer.json()).info.version, "1.2.3");
  const etag = answer.headers.get("etag")!;
  const again = await app.request("/openapi.json", { headers: { "if-none-match": etag } });
  assert.deepEqual([again.status, await again.text(), again.headers.get("etag")], [304, "", etag]);
  assert.equal((await app.request("/openapi.json", { headers: { "if-none-match": '"x"' } })).status, 200);
});

const text = fc.string({ unit: "binary" });
const time = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const count = fc.nat(1000);

const task: fc.Arbitrary<Task> = fc.record({
  id: fc.uuid(),
  type: text,
  owner: text,
  input: fc.json(),
  metadata: maybe(
    fc.dictionary(
      text,
      fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)),
    )
      .map((entries) => JSON.stringify(entries)),
  ),
  status: fc.constantFrom(...STATUSES),
  priority: fc.integer({ min: -100, max: 100 }),
  attempt: count,
  maxAttempts: count,
  timeout: count,
  version: fc.integer({ min: 1, max: 1e9 }),
  lines: count,
  createdAt: time,
  runAt: maybe(time),
  startedAt: maybe(time),
  finishedAt: maybe(time),
  expiresAt: maybe(time),
  cancelRequestedAt: maybe(time),
  progress: maybe(
    fc.record({
      current: fc.double({ noNaN: true, noDefaultInfinity: true }),
      total: maybe(count),
      message: maybe(text),
    }),
  ),
  result: maybe(fc.json()),
  error: maybe(fc.record({
    code: text,
    message: text,
    retryable: fc.boolean(),
    attempt: count,
    at: time,
    details: maybe(fc.dictionary(text, fc.jsonValue())),
  })),
  alone: fc.boolean(),
  crashes: count,
  checkpoint: maybe(fc.json()),
  extras: maybe(fc.record({
    batch: fc.uuid(),
    parent: fc.uuid(),
    uniqueKey: fc.record({ key: text, onConflict: fc.constant("return" as const) }),
    webhook: fc.record({ url: text, secret: text }, { requiredKeys: ["url"] }),
    depth: count,
  }, { requiredKeys: [] })),
});

Deno.test("a task as clients see it fits its schema, and has nothing that the schema does not name", () => {
  const closed = z.strictObject(TaskSchema.shape);
  fc.assert(
    fc.property(task, (task) => {
      const parsed = closed.safeParse(JSON.parse(renderTask(task)));
      assert.ok(parsed.success, parsed.error?.message);
    }),
    { numRuns: 300 },
  );
});

Deno.test("every problem has a page in prose, and JSON for who asks for it", async () => {
  const { app } = bench();
  for (const code of Object.keys(PROBLEMS) as ProblemCode[]) {
    const [status, title] = PROBLEMS[code];
    const page = await app.request(`/problems/${code}`, { headers: { accept: "text/html,*/*;q=0.8" } });
    assert.equal(page.headers.get("content-type"), "text/html; charset=utf-8");
    const csp = page.headers.get("content-security-policy")!;
    assert.match(csp, /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.doesNotMatch(csp, /unsafe|\*/);
    const html = await page.text();
    assert.ok(html.includes(`<h1>${title}</h1>`) && html.includes(`status ${status}`), html);
    const json = await app.request(`/problems/${code}`, { headers: { accept: "application/json" } });
    const { meaning, remedy, retry } = MEANINGS[code];
    assert.deepEqual(await json.json(), {
      type: `/problems/${code}`,
      code,
      status,
      title,
      meaning,
      remedy,
      retry,
    });
  }
  assert.equal(
    (await app.request("/problems/queue-full")).headers.get("content-type"),
    "text/html; charset=utf-8",
  );
  for (const code of ["nothing", "constructor", "__proto__", "%3Cscript%3E"]) {
    await isProblem(await app.request(`/problems/${code}`), "not-found");
  }
});

Deno.test("the prose is whole sentences, and names no code that there is not", () => {
  for (const [code, { meaning, remedy }] of Object.entries(MEANINGS)) {
    for (const text of [meaning, remedy]) {
      assert.match(text, /^\S.*\.$/, code);
      assert.equal(text.split("`").length % 2, 1, `${code} has a backtick without its other half`);
    }
  }
});

Deno.test("all problems are listed, as HTML and as JSON", async () => {
  const { app } = bench();
  const html = await (await app.request("/problems")).text();
  const { problems } = await (await app.request("/problems", { headers: { accept: "application/json" } }))
    .json();
  assert.deepEqual(problems.map(({ code }: { code: string }) => code), Object.keys(PROBLEMS));
  for (const code of Object.keys(PROBLEMS)) assert.ok(html.includes(`href="problems/${code}"`), code);
});

Deno.test("a problem's type leads to its page", async () => {
  const { app } = bench();
  const { type } = await (await post(app, "")).json();
  assert.equal((await app.request(type)).status, 200);
});

Deno.test("/ says where to begin: to people in HTML, to programs in JSON", async () => {
  const { app } = bench();
  const { name, links } = await (await app.request("/", { headers: { accept: "*/*" } })).json();
  assert.equal(name, "Errand");
  for (const path of Object.values<string>(links)) assert.equal((await app.request(path)).status, 200, path);
  const page = await app.request("/", { headers: { accept: "text/html,application/xhtml+xml,*/*;q=0.8" } });
  const html = await page.text();
  for (const path of ["docs", "openapi.json", "v1/types"]) assert.ok(html.includes(`href="${path}"`), path);
});

Deno.test("the API's description is found by Link, where the answer's size does not matter", async () => {
  const { app } = bench();
  const link = '</openapi.json>; rel="service-desc"';
  for (const path of ["/", "/livez", "/v1/types", "/docs", "/problems", "/problems/draining", "/nowhere"]) {
    assert.equal((await app.request(path)).headers.get("link"), link, path);
  }
  const accepted = await post(app, { type: "any", input: {} });
  assert.deepEqual([accepted.status, accepted.headers.get("link")], [202, null]);
});

Deno.test("the pages' files are served from here, once", async () => {
  const { app } = bench();
  const html = await (await app.request("/docs")).text();
  const assets = [...html.matchAll(/(?:src|href)="(docs\/[^"]+)"/g)].map(([, path]) => `/${path}`);
  assert.equal(assets.length, 3);
  assert.doesNotMatch(html, /https?:|<script>|<style|style=/);
  for (const path of [...assets, "/docs/page.css"]) {
    const answer = await app.request(path);
    assert.match(
      answer.headers.get("content-type")!,
      path.endsWith(".css") ? /^text\/css/ : /^text\/javascript/,
    );
    assert.ok((await answer.text()).length > 100);
    const again = await app.request(path, { headers: { "if-none-match": answer.headers.get("etag")! } });
    assert.deepEqual([again.status, await again.text()], [304, ""]);
  }
  for (const name of ["nothing.js", "constructor", "..%2fmount.ts"]) {
    await isProblem(await app.request(`/docs/${name}`), "not-found");
  }
});
