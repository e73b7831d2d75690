/** Makes the OpenAPI document out of the operations and the schemas. */
import type { Registry } from "../../tasks/lib/registry.ts";
import { type ProblemCode, PROBLEMS } from "../problem.ts";
import { BATCHES } from "./batches.ts";
import { componentsOf } from "./components.ts";
import { DELIVERIES } from "./deliveries.ts";
import { DESCRIPTION } from "./description.ts";
import { EVENTS } from "./events.ts";
import { FILES } from "./files.ts";
import { headerMap, type HeaderName } from "./headers.ts";
import { type Answer, type Operation, ref, type Schema, TAGS } from "./operation.ts";
import { pathParameters } from "./parameters.ts";
import { SERVICE } from "./service.ts";
import { TASK } from "./task.ts";
import { TASKS } from "./tasks.ts";

/** All that the service can do; a new route is described in a file of this folder and listed here. */
export const OPERATIONS: readonly Operation[] = [
  ...TASKS,
  ...TASK,
  ...BATCHES,
  ...EVENTS,
  ...DELIVERIES,
  ...FILES,
  ...SERVICE,
  ...DESCRIPTION,
];

const INTRODUCTION =
  `A background-task service: \`POST\` a task, get \`202\` and its id at once, and ask how it went, \
wait for it, stream it, or be called back.

Times are RFC 3339 in UTC, durations texts such as \`30s\`, \`1h 5m\` or \`PT30S\`. What is absent is absent: no field \
is \`null\`. Every error is \`application/problem+json\`; [/problems](/problems) says what each means.`;

/** OpenAPI 3.1. */
export function documentOf(registry: Registry, version: string, base = ""): Schema {
  const paths: Record<string, Record<string, Schema>> = {};
  for (const operation of OPERATIONS) {
    (paths[operation.path] ??= {})[operation.method] = operationObject(operation);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Errand",
      version,
      description: INTRODUCTION,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: base || "/" }],
    // Without keys the service is open to whoever reaches it.
    security: [{ key: [] }, {}],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: componentsOf(registry),
      securitySchemes: { key: { type: "http", scheme: "bearer", description: "An API key." } },
    },
  };
}

function operationObject(operation: Operation): Schema {
  const { id, tag, summary, description, path, parameters = [], body, answers } = operation;
  const open = !path.startsWith("/v1/");
  return {
    operationId: id,
    tags: [tag],
    summary,
    description,
    ...(open ? { security: [] } : {}),
    parameters: [...pathParameters(path), ...parameters],
    ...(body ? { requestBody: { required: true, ...body, content: mediaTypes(body.content) } } : {}),
    responses: {
      ...mapValues(answers, (answer) => answerObject(answer, open)),
      ...problemAnswers(operation, open),
    },
  };
}

function answerObject({ description, content, headers = [] }: Answer, open: boolean): Schema {
  return {
    description,
    headers: headerMap([...headers, ...(open ? [] : RATE)]),
    ...(content ? { content: mediaTypes(content) } : {}),
  };
}

function mediaTypes(content: Readonly<Record<string, Schema>>): Record<string, Schema> {
  return mapValues(content, (schema) => ({ schema }));
}

/** What can go wrong with every request: by its host, as it came from a foreign page, and by bugs. */
const EVERYWHERE = ["bad-request", "forbidden", "internal-error"] as const;
/** And where keys are asked for. */
const WITH_KEYS = ["unauthenticated", "rate-limited"] as const;

/** Told to callers whose key has a rate. */
const RATE = ["RateLimit?", "RateLimit-Policy?"] as const;

/** What problems of a status bring along; `?`: not all of them, or not always. */
const PROBLEM_HEADERS: Readonly<Record<number, readonly (HeaderName | `${HeaderName}?`)[]>> = {
  401: ["WWW-Authenticate"],
  404: ["Retry-After?"],
  409: ["Retry-After?"],
  415: ["Accept", "Accept-Encoding?"],
  416: ["Content-Range"],
  429: ["Retry-After"],
  503: ["Retry-After"],
};

/** The problems of an operation by status, each naming its codes. */
function problemAnswers({ problems = [] }: Operation, open: boolean): Record<string, Schema> {
  const codes = [...new Set<ProblemCode>([...problems, ...EVERYWHERE, ...(open ? [] : WITH_KEYS)])];
  const byStatus = Object.groupBy(codes, (code) => PROBLEMS[code][0]);
  return mapValues(byStatus as Record<number, ProblemCode[]>, (codes, status) => ({
    description: codes.map((code) => `[\`${code}\`](/problems/${code}): ${PROBLEMS[code][1]}.`).join("\n\n"),
    headers: headerMap([
      "X-Request-Id",
      "Link",
      ...(open ? [] : RATE),
      ...PROBLEM_HEADERS[Number(status)] ?? [],
    ]),
    content: {
      "application/problem+json": {
        schema: { allOf: [ref("Problem"), { properties: { code: { enum: codes } } }] },
      },
    },
  }));
}

function mapValues<From, To>(
  object: Readonly<Record<string | number, From>>,
  change: (value: From, key: string) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));
}
