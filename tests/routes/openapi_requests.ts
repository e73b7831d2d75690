/** Requests to the API, made from the document that describes it. */
import fc from "fast-check";
import type { Operation } from "../../routes/describe/operation.ts";
import { type Json, recordOf, spoiled, valueOf } from "./schema_arbitrary.ts";

/** A request, in terms of the document. */
export interface Sent {
  /** Its id. */
  readonly operation: string;
  /** Of the path; a number is a thing's that is there. */
  readonly path: Readonly<Record<string, string | number>>;
  readonly query: readonly (readonly [name: string, value: string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
}

/** A header's value cannot hold more than this, and is trimmed. */
const headerText = fc.string({ unit: fc.constantFrom(..."abc019 ,;=\"'*/-_é~") }).map((text) => text.trim());
/** Of a path: neither empty, nor what a URL takes for a step up. */
const pathText = fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !/^\.{1,2}$/.test(text));

/** Headers as clients, proxies and pages may well send them. */
const ODD: Readonly<Record<string, fc.Arbitrary<string>>> = {
  "accept": fc.constantFrom("text/html", "application/json", "*/*;q=0", "image/png", ";;;"),
  "accept-encoding": fc.constant("gzip"),
  "content-encoding": fc.constantFrom("gzip", "identity"),
  "content-length": fc.constantFrom("5", "99999999999"),
  "content-type": fc.constantFrom(
    "text/plain",
    "application/json; charset=latin1",
    "x",
    "multipart/form-data",
  ),
  "host": fc.constantFrom("example.com", "a b", "%zz", "x/livez?"),
  "if-modified-since": fc.constant("Sat, 01 Jan 2000 00:00:00 GMT"),
  "origin": fc.constantFrom("http://localhost", "https://evil.example", "null"),
  "x-request-id": headerText,
};

/** Some of them, and seldom many. */
function someOf(model: Readonly<Record<string, fc.Arbitrary<string>>>): fc.Arbitrary<Sent["headers"]> {
  const most = Math.min(2, Object.keys(model).length);
  return fc.subarray(Object.entries(model), { maxLength: most }).chain(recordOf);
}

/** What `Prefer` may say; a wait without an end would be one here, too. */
const PREFER = fc.constantFrom(
  "wait=0",
  "respond-async",
  "respond-async, wait=0",
  "wait=-1",
  "wait=x",
  "wait",
  "a;b",
);

/** Requests of these operations: many that fit the document, and many that do not. */
export function requestOf(operations: readonly Operation[], document: Json): fc.Arbitrary<Sent> {
  return fc.constantFrom(...operations.flatMap(byWeight)).chain((operation) => {
    const described = document.paths[operation.path][operation.method];
    return fc.record({
      operation: fc.constant(operation.id),
      path: pathOf(described, document),
      query: queryOf(described, document),
      headers: headersOf(described, document),
      body: bodyOf(described, document),
    });
  });
}

/** What changes something more often, and what tells the same to everybody seldom. */
function byWeight(operation: Operation): Operation[] {
  return Array(operation.body ? 12 : operation.path.startsWith("/v1/") ? 4 : 1).fill(operation);
}

function pathOf({ parameters }: Json, document: Json): fc.Arbitrary<Sent["path"]> {
  const model = parameters.filter((each: Json) => each.in === "path").map(({ name, schema }: Json) => {
    const fitting = fc.oneof(fc.nat(100), fc.nat(100), fc.nat(100), valueOf(schema, document));
    return [
      name,
      fc.oneof({ arbitrary: name === "id" ? fitting : valueOf(schema, document), weight: 9 }, pathText),
    ];
  });
  return fc.record(Object.fromEntries(model));
}

type Pair = fc.Arbitrary<readonly [string, string]>;

function queryOf({ parameters }: Json, document: Json): fc.Arbitrary<Sent["query"]> {
  const known = parameters.filter((each: Json) => each.in === "query").map(({ name, schema }: Json): Pair => {
    const text = valueOf(schema.items ?? schema, document).map(String);
    return fc.tuple(fc.constant<string>(name), fc.oneof({ arbitrary: text, weight: 9 }, fc.string()));
  });
  const strange: Pair = fc.tuple(fc.string(), fc.string());
  if (known.length === 0) return fc.array(strange, { maxLength: 1 });
  return fc.array(fc.oneof({ arbitrary: fc.oneof(...known as Pair[]), weight: 20 }, strange), {
    maxLength: 3,
  });
}

function headersOf({ parameters, requestBody }: Json, document: Json): fc.Arbitrary<Sent["headers"]> {
  const known = parameters.filter((each: Json) => each.in === "header").map(
    ({ name, schema, example }: Json) => {
      if (name === "Prefer") return [name, PREFER];
      const fitting = example === undefined ? valueOf(schema, document).map(latin) : fc.constant(example);
      return [name.toLowerCase(), fc.oneof(fitting, headerText)];
    },
  );
  const described = someOf(Object.fromEntries(known));
  const type: Sent["headers"] = requestBody === undefined ? {} : { "content-type": "application/json" };
  const some = fc.oneof({ arbitrary: fc.constant<Sent["headers"]>({}), weight: 5 }, someOf(ODD));
  return fc.tuple(described, some).map(([described, odd]) => ({ ...type, ...described, ...odd }));
}

const latin = (text: string) => text.replace(/[^\x20-\x7e]/g, "").trim();

function bodyOf({ requestBody }: Json, document: Json): fc.Arbitrary<Sent["body"]> {
  if (requestBody === undefined) return fc.constant(undefined);
  const { schema } = Object.values<Json>(requestBody.content)[0]!;
  const value = valueOf(schema, document);
  const text = fc.oneof({ arbitrary: value, weight: 2 }, spoiled(value)).map((value) =>
    JSON.stringify(value) ?? ""
  );
  const bytes = fc.uint8Array({ maxLength: 100 }).map((bytes) => Uint8Array.from(bytes));
  return fc.oneof({ arbitrary: text, weight: 9 }, fc.json(), fc.string(), bytes, fc.constant(undefined));
}
