/** Makes values of a JSON Schema, as far as those of the OpenAPI document go, and spoils them. */
import fc from "fast-check";

// deno-lint-ignore no-explicit-any -- JSON of any shape
export type Json = any;

/** Texts of a format. */
const FORMATS: Readonly<Record<string, fc.Arbitrary<string>>> = {
  "uuid": fc.uuid(),
  "date-time": fc.date({ min: new Date(0), max: new Date("2100-01-01"), noInvalidDate: true })
    .map((date) => date.toISOString()),
  "email": fc.emailAddress(),
  "uri": fc.webUrl(),
};

/** Values that mostly fit the schema: what it says beyond types, bounds and formats is not heeded. */
export function valueOf(schema: Json, document: Json, depth = 0): fc.Arbitrary<Json> {
  const inner = (schema: Json) => valueOf(schema, document, depth + 1);
  if (schema.$ref !== undefined) return inner(resolve(schema.$ref, document));
  if ("const" in schema) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const examples = schema.examples?.length > 0 ? fc.constantFrom(...schema.examples) : undefined;
  const choice = schema.oneOf ?? schema.anyOf;
  if (choice !== undefined) return fc.oneof(...choice.map(inner));
  if (schema.allOf !== undefined) {
    return fc.tuple(...schema.allOf.map(inner)).map((parts) => Object.assign({}, ...parts as Json[]));
  }
  const { type = "any", minLength = 0, maxLength, minItems = 0, maxItems } = schema;
  switch (type) {
    case "object":
      return objectOf(schema, document, depth);
    case "array":
      return fc.array(inner(schema.items ?? {}), {
        minLength: minItems,
        maxLength: Math.max(minItems, Math.min(maxItems ?? 3, 3)),
      });
    case "string": {
      const text = FORMATS[schema.format] ??
        fc.string({ minLength, maxLength: Math.max(minLength, Math.min(maxLength ?? 30, 30)) });
      return examples ? fc.oneof({ arbitrary: examples, weight: 4 }, text) : text;
    }
    case "integer":
      return fc.integer({ min: schema.minimum ?? -1000, max: schema.maximum ?? 1000 });
    case "number":
      return fc.double({ min: schema.minimum, max: schema.maximum, noNaN: true, noDefaultInfinity: true });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    default:
      return depth > 6 ? fc.constant({}) : fc.jsonValue({ maxDepth: 2 });
  }
}

/** Few fields that may be left out, as all together seldom go with each other. */
const MOST_OPTIONAL = 2;

function objectOf(schema: Json, document: Json, depth: number): fc.Arbitrary<Json> {
  const { properties = {}, required = [], additionalProperties } = schema;
  const fields = (names: readonly string[]) =>
    recordOf(names.map((name) => [name, valueOf(properties[name], document, depth + 1)]));
  // Where it gets deep they are left out, as recursive schemas have no end otherwise.
  const optional = depth < 5 ? Object.keys(properties).filter((name) => !required.includes(name)) : [];
  const some = fc.subarray(optional, { maxLength: Math.min(optional.length, MOST_OPTIONAL) }).chain(fields);
  const more = typeof additionalProperties === "object"
    ? fc.dictionary(fc.string(), valueOf(additionalProperties, document, depth + 1), { maxKeys: 3 })
    : fc.constant({});
  return fc.tuple(more, some, fields(required)).map((parts) => Object.assign({}, ...parts));
}

/** With all of these fields. */
export function recordOf<T>(
  fields: readonly (readonly [name: string, arbitrary: fc.Arbitrary<T>])[],
): fc.Arbitrary<Record<string, T>> {
  return fc.record(Object.fromEntries(fields), { noNullPrototype: true });
}

export function resolve(ref: string, document: Json): Json {
  let at = document;
  for (const name of ref.slice(2).split("/")) at = at[name.replaceAll("~1", "/").replaceAll("~0", "~")];
  return at;
}

const junk = fc.oneof(
  fc.constantFrom<Json>(null, true, 0, -1, 1e308, "", "null", "\u0000", "\ud800", "__proto__", [], {}, [[]]),
  fc.jsonValue({ maxDepth: 2 }),
);

/** The value with something in it missing, added or replaced. */
export function spoiled(value: fc.Arbitrary<Json>): fc.Arbitrary<Json> {
  const spoilage = fc.record({
    way: fc.constantFrom("remove", "add", "replace", "all"),
    path: fc.array(fc.nat(7), { maxLength: 4 }),
    key: fc.oneof(fc.constantFrom("__proto__", "constructor", "a/b~c", "then"), fc.string()),
    junk,
  });
  return fc.tuple(value, spoilage).map(([value, { way, path, key, junk }]) => {
    const whole = structuredClone(value);
    let at: Json = whole;
    for (const [i, step] of path.entries()) {
      const keys = typeof at === "object" && at !== null ? Object.keys(at) : [];
      if (keys.length === 0) break;
      const name = keys[step % keys.length]!;
      const last = i === path.length - 1 || typeof at[name] !== "object";
      if (last && way === "remove") delete at[name];
      if (last && way === "replace") at[name] = junk;
      if (last) break;
      at = at[name];
    }
    if (way === "add" && typeof at === "object" && at !== null) {
      Object.defineProperty(at, key, { value: junk, enumerable: true, configurable: true, writable: true });
    }
    return way === "all" ? junk : whole;
  });
}
