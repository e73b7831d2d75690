/** What an operation of the API is described by; `document.ts` makes OpenAPI of it. */
import type { ProblemCode } from "../problem.ts";
import type { HeaderName } from "./headers.ts";
import type { Parameter } from "./parameters.ts";

export type Schema = Readonly<Record<string, unknown>>;

export const TAGS = {
  tasks: "Submit tasks, look after them, and wait for them.",
  batches: "Many tasks at once.",
  events: "Streams of server-sent events.",
  files: "What is too large for JSON.",
  service: "Task types, counts and health.",
  description: "This document, and what describes it.",
} as const;

export interface Operation {
  readonly method: "get" | "post" | "delete";
  /** With its parameters in braces: `/v1/tasks/{id}`. */
  readonly path: string;
  readonly id: string;
  readonly tag: keyof typeof TAGS;
  readonly summary: string;
  readonly description?: string;
  /** In header and query; those of the path are known by their names. */
  readonly parameters?: readonly Parameter[];
  readonly body?: Body;
  readonly answers: Readonly<Record<number, Answer>>;
  /** What can go wrong here, besides what can everywhere. */
  readonly problems?: readonly ProblemCode[];
}

export interface Body {
  readonly description?: string;
  readonly content: Readonly<Record<string, Schema>>;
}

export interface Answer {
  readonly description: string;
  readonly content?: Readonly<Record<string, Schema>>;
  /** A name that ends in `?` is of a header that is not always there. */
  readonly headers?: readonly (HeaderName | `${HeaderName}?`)[];
}

/** A schema by its name among the document's components. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

/** JSON of this named schema. */
export function json(name: string): Readonly<Record<string, Schema>> {
  return { "application/json": ref(name) };
}

export const TEXT: Schema = { type: "string" };
