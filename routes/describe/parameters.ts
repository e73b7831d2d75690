import { STATUSES } from "../../queue/task.ts";
import { PROBLEMS } from "../problem.ts";
import { ASSETS } from "./assets.ts";
import { type Schema, TEXT } from "./operation.ts";

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description: string;
  readonly required?: boolean;
  readonly schema: Schema;
  readonly example?: unknown;
}

/** Without an example: `/docs` would send it along with every request that is tried out. */
function header(name: string, description: string, schema: Schema): Parameter {
  return { name, in: "header", description, schema };
}

function query(name: string, description: string, schema: Schema): Parameter {
  return { name, in: "query", description, schema };
}

const UUID: Schema = { type: "string", format: "uuid" };
const TIME: Schema = { type: "string", format: "date-time" };

/** The parts of paths, by name. */
const IN_PATH: Readonly<Record<string, readonly [description: string, schema: Schema]>> = {
  id: ["Its id.", UUID],
  code: ["The problem's code.", { type: "string", enum: Object.keys(PROBLEMS) }],
  asset: ["Its file name.", { type: "string", enum: Object.keys(ASSETS) }],
  delivery: ["The delivery's id.", UUID],
};

/** The parameters that a path names. @throws {TypeError} for one that nothing is said of */
export function pathParameters(path: string): Parameter[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
    const known = IN_PATH[name];
    if (known === undefined) throw new TypeError(`Nothing is said of {${name}} in ${path}.`);
    const [description, schema] = known;
    return { name, in: "path", required: true, description, schema };
  });
}

export const IDEMPOTENCY_KEY = header(
  "Idempotency-Key",
  "Makes a repeat harmless for 24 hours: the same key with the same body answers the same task. Quoted or bare.",
  { type: "string", minLength: 1, maxLength: 257 },
);

export const PREFER_WAIT = header(
  "Prefer",
  "`wait=30` holds the answer back until the end has come, for 30 seconds here and 60 at most (RFC 7240).",
  TEXT,
);

export const IF_NONE_MATCH = header(
  "If-None-Match",
  "The `ETag` that one has: 304 where it still holds.",
  TEXT,
);

export const LAST_EVENT_ID = header(
  "Last-Event-ID",
  "The last event that one has: the stream goes on behind it.",
  TEXT,
);

export const RANGE = header("Range", "A part of the bytes, such as `bytes=0-1023`.", TEXT);

export const IF_RANGE = header("If-Range", "The part only if the `ETag` still holds, else all.", TEXT);

export const TRACEPARENT = header("traceparent", "W3C Trace Context; kept with the task.", TEXT);

export const CONTENT_DISPOSITION = header(
  "Content-Disposition",
  'The file\'s name, for whoever downloads it: `attachment; filename="report.pdf"`.',
  TEXT,
);

export const TASK_FILTER: readonly Parameter[] = [
  query("status", "Repeatable: any of them.", { type: "array", items: { type: "string", enum: STATUSES } }),
  query("type", "Repeatable: any of them.", { type: "array", items: TEXT }),
  query("batch", "Only the tasks of this batch.", UUID),
  query("parent", "Only the tasks that are for this one.", UUID),
  query("createdAfter", "Inclusive.", TIME),
  query("createdBefore", "Exclusive.", TIME),
  query("pageSize", "At most; a page may be shorter.", {
    type: "integer",
    minimum: 1,
    maximum: 200,
    default: 50,
  }),
  query("pageToken", "A page's `nextPageToken`.", TEXT),
];
