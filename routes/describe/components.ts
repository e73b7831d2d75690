/** The named schemas of the document: of the answers, and of each task type's input and result. */
import { z } from "zod";
import type { Registry } from "../../tasks/lib/registry.ts";
import { NAMED } from "../schemas.ts";
import { envelope } from "../submission.ts";
import { jsonSchema } from "../types.ts";
import { ref, type Schema } from "./operation.ts";

type Schemas = Record<string, Schema>;

/** All of them, by name. */
export function componentsOf(registry: Registry): Schemas {
  return { ...named(), ...ofTypes(registry) };
}

/** What this service answers. Open for fields to come, as a client should be. */
function named(): Schemas {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(NAMED)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    uri: (id) => ref(id).$ref as string,
    override({ jsonSchema }) {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      // The formats say the same in a word.
      if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
    },
  });
  return Object.fromEntries(
    // As it stands in the document a schema needs no name of its own, and Swagger UI would look for it there in vain.
    Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema]),
  );
}

/**
 * For the type `send-email`: `SendEmailInput`, `SendEmailResult`, and `SendEmailSubmission`, the body that submits it.
 * `Submission` is any of the latter.
 */
function ofTypes(registry: Registry): Schemas {
  const schemas: Schemas = {};
  const submissions: Record<string, string> = {};
  const results: Schema[] = [];
  for (const type of registry.values()) {
    if (type.definition === undefined) continue;
    const name = nameOf(type.type, (name) => `${name}Input` in schemas);
    const { result, description } = type.definition;
    const input = within(`${name}Input`, jsonSchema(type.definition.input, "input"));
    schemas[`${name}Input`] = input;
    if (result !== undefined) {
      schemas[`${name}Result`] = within(`${name}Result`, jsonSchema(result, "output"));
      results.push(ref(`${name}Result`));
    }
    schemas[`${name}Submission`] = submission(type.type, ref(`${name}Input`), {
      description,
      examples: input.examples,
    });
    submissions[type.type] = ref(`${name}Submission`).$ref as string;
  }
  return { ...schemas, Submission: oneOf(submissions), NewBatch: NEW_BATCH, Result: anyOf(results) };
}

/** `send-email` is `SendEmail`. Where `a1` has taken the name of `a-1`, that is `A1_`. */
function nameOf(type: string, taken: (name: string) => boolean): string {
  const name = type.replace(/(?:^|-+)(.)/g, (_, letter: string) => letter.toUpperCase());
  return taken(name) ? nameOf(`${name}_`, taken) : name;
}

function submission(type: string, input: Schema, { description, examples }: Schema): Schema {
  const [example = {}] = Array.isArray(examples) ? examples : [];
  const { properties, ...rest } = body();
  return {
    description,
    ...rest,
    properties: { ...properties as Schema, type: { type: "string", const: type }, input },
    examples: [{ type, input: example }],
  };
}

function body(): Schema {
  const { $schema: _, ...schema } = z.toJSONSchema(envelope, { io: "input" });
  return schema;
}

function oneOf(submissions: Readonly<Record<string, string>>): Schema {
  const refs = Object.values(submissions).map(($ref) => ({ $ref }));
  const description = "What `type` says decides what `input` is.";
  // Without types there is nothing to choose from, and an empty choice is no schema.
  if (refs.length === 0) return { description, ...body() };
  return { description, oneOf: refs, discriminator: { propertyName: "type", mapping: submissions } };
}

const NEW_BATCH: Schema = {
  type: "object",
  properties: {
    tasks: { type: "array", items: ref("Submission"), minItems: 1, maxItems: 10_000 },
    then: { description: "Runs once, when all of them have ended.", ...ref("Submission") },
  },
  required: ["tasks"],
  additionalProperties: false,
};

function anyOf(results: readonly Schema[]): Schema {
  const other = { description: "Of a type without a schema for results, or with another one since." };
  return { description: "What the handler returned.", anyOf: [...results, other] };
}

/** A type's schema where it stands in the document: what it refers to within itself is found from there. */
function within(name: string, schema: unknown): Schema {
  const place = ref(name).$ref as string;
  const { $schema: _, ...own } = moved(schema, place) as Schema;
  return own;
}

function moved(value: unknown, place: string): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => moved(each, place));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      const local = key === "$ref" && typeof inner === "string" && inner.startsWith("#");
      return [key, local ? place + inner.slice(1) : moved(inner, place)];
    }),
  );
}
