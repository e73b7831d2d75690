import type { Schema } from "./operation.ts";

/** The headers of answers, by the names that they are described by. */
export const HEADERS = {
  "Accept": ["The media types that are taken.", { type: "string" }],
  "Accept-Encoding": ["`identity`, where a compressed body was refused.", { type: "string" }],
  "Accept-Ranges": ["`bytes`.", { type: "string" }],
  "Cache-Control": ["Whether an answer may be kept.", { type: "string" }],
  "Content-Disposition": ["The file's name.", { type: "string" }],
  "Content-Range": ["Which bytes of how many these are.", { type: "string" }],
  "ETag": ["Of this version, for `If-None-Match`.", { type: "string", pattern: '^(?:W/)?".*"$' }],
  "Errand-Existing": ["Another task has the unique key: this is it.", { type: "string", const: "true" }],
  "Idempotency-Replayed": ["This task was there already.", { type: "string", const: "true" }],
  "Link": ["RFC 8288: `next`, or `service-desc`.", { type: "string" }],
  "Location": ["Where the new thing is.", { type: "string", format: "uri-reference" }],
  "Preference-Applied": ["What of `Prefer` was heeded.", { type: "string" }],
  "RateLimit": ["What is left of the key's rate.", { type: "string" }],
  "RateLimit-Policy": ["The key's rate.", { type: "string" }],
  "Retry-After": ["Seconds after which to look, or to try, again.", { type: "integer", minimum: 0 }],
  "Vary": ["The request headers that change the answer.", { type: "string" }],
  "WWW-Authenticate": ["`Bearer`.", { type: "string" }],
  "X-Accel-Buffering": ["`no`: proxies must not hold events back.", { type: "string" }],
  "X-Request-Id": ["The request's own id where it had one, else a new one.", { type: "string" }],
} as const satisfies Readonly<Record<string, readonly [description: string, schema: Schema]>>;

export type HeaderName = keyof typeof HEADERS;

/** As an OpenAPI header map. @param names those that end in `?` are not always there */
export function headerMap(names: readonly string[]): Schema {
  return Object.fromEntries(names.map((given) => {
    const name = given.replace(/\?$/, "");
    const [description, schema] = HEADERS[name as HeaderName];
    return [name, { description, required: name === given, schema }];
  }));
}
