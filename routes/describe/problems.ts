import type { ProblemCode } from "../problem.ts";

/** What a problem means to the one who met it. Code stands in backticks. */
export interface Meaning {
  readonly meaning: string;
  /** What to do. */
  readonly remedy: string;
  /**
   * Whether to send the request again: `now`, `later` (after `Retry-After`, where given), `changed`, or `never`, as
   * the answer would be the same for ever.
   */
  readonly retry: "now" | "later" | "changed" | "never";
}

/** One for each problem there is. */
export const MEANINGS: Readonly<Record<ProblemCode, Meaning>> = {
  "malformed-json": {
    meaning:
      "The body could not be read as JSON: it is empty, cut short, or has a mistake in its syntax, such as a trailing comma, single quotes or a byte order mark.",
    remedy:
      "Write the body with a JSON library rather than by hand, and check that all of it is sent. `detail` says when it was empty.",
    retry: "changed",
  },
  "invalid-encoding": {
    meaning: "The body has bytes that are no UTF-8. JSON on the wire is always UTF-8 (RFC 8259).",
    remedy:
      "Encode the text as UTF-8 before it is sent. Bytes that are no text, such as a file, go into a field as Base64, or are uploaded.",
    retry: "changed",
  },
  "payload-too-deep": {
    meaning:
      "Arrays and objects in the body are nested beyond the limit of this service, 64 levels by default.",
    remedy:
      "Flatten the input, or send the nested part as a text that the task parses. The operator sets the limit with `JSON_DEPTH_MAX`.",
    retry: "changed",
  },
  "bad-request": {
    meaning:
      "The request itself is out of order before its content matters: its `Host` names no host, for example, or a header cannot be understood.",
    remedy: "Look at `detail`. If the request passed a proxy, look at what the proxy has made of it.",
    retry: "changed",
  },
  "invalid-idempotency-key": {
    meaning:
      "`Idempotency-Key` is empty, longer than 255 characters, or has characters other than visible ASCII.",
    remedy:
      "Send a UUID made anew for each piece of work, quoted or bare, and the same one with its repeats.",
    retry: "changed",
  },
  "unauthenticated": {
    meaning:
      "This service asks for an API key, and the request has none, or one that is unknown, expired or revoked.",
    remedy:
      "Send `Authorization: Bearer` with a key. The operator makes keys with `deno task keys add`; a lost one cannot be shown again, only replaced.",
    retry: "changed",
  },
  "forbidden": {
    meaning:
      "The API key is good, but what was asked for is not among its scopes: `submit`, `read`, `cancel`, `admin`.",
    remedy: "Use a key that has the scope, or ask the operator for one.",
    retry: "changed",
  },
  "not-found": {
    meaning: "No route of this service has this path.",
    remedy: "Compare the path with `/docs`. Paths are case-sensitive and do not end in a slash.",
    retry: "changed",
  },
  "task-not-found": {
    meaning:
      "There is no task with this id, or it belongs to another API key: the two are not told apart on purpose. A task that was deleted is gone, too.",
    remedy:
      "Check the id, and that the key is the one that the task was submitted with. With `STORE_URL=memory:` tasks end with the service.",
    retry: "changed",
  },
  "batch-not-found": {
    meaning:
      "There is no batch with this id, it belongs to another API key, or all of its tasks have been forgotten.",
    remedy: "Check the id, and that the key is the one that the batch was submitted with.",
    retry: "changed",
  },
  "result-not-ready": {
    meaning:
      "The task exists, but has no result: it has not finished, has failed, was cancelled, or returned nothing.",
    remedy:
      "`detail` says which. With `Retry-After` the task is still under way: look again then, or wait with `Prefer: wait=30` at the task itself. Without it there will be none.",
    retry: "later",
  },
  "method-not-allowed": {
    meaning: "The path exists, but not with this method.",
    remedy: "Use one of those that the header `Allow` names.",
    retry: "changed",
  },
  "request-timeout": {
    meaning: "The body, or more of it, did not arrive in time. Nothing was accepted.",
    remedy:
      "Send it again. If it happens often, the connection is slow or a proxy holds bodies back; the operator sets the time with `BODY_TIMEOUT`.",
    retry: "now",
  },
  "idempotency-in-progress": {
    meaning: "Another request with the same `Idempotency-Key` has come first and is not answered yet.",
    remedy: "Send it again in a moment, with the same key: it will be answered with the task of the first.",
    retry: "later",
  },
  "task-already-finished": {
    meaning: "The task has ended, and what was asked for is possible only before that.",
    remedy: "Read the task: its `status` says how it ended. To do the work again, submit a new task.",
    retry: "never",
  },
  "task-not-finished": {
    meaning: "The task has not ended, and what was asked for is possible only after that.",
    remedy: "Wait for its end with `Prefer: wait=30`, or cancel it first.",
    retry: "later",
  },
  "unique-conflict": {
    meaning:
      "What has to be unique is in use: a task with this id exists and has another type, input or metadata, or another task has this unique key.",
    remedy:
      "For a unique key, use the task that is named, or try again when it has ended. If this was meant as a repeat, send exactly what was sent first, in the same order of keys. If it is other work, let the service choose the id.",
    retry: "changed",
  },
  "task-expired": {
    meaning:
      "The task has finished, was kept for as long as finished tasks are kept, and is forgotten now. With `Idempotency-Key`: what was made under this key is gone, and is not made again.",
    remedy:
      "Fetch results before `expiresAt`. For new work use a new key. The operator sets how long tasks are kept with `RETENTION_SUCCEEDED` and `RETENTION_FAILED`.",
    retry: "never",
  },
  "body-too-large": {
    meaning:
      "The body has more bytes than this service takes. No more of it was read than needed to know that.",
    remedy:
      "Send less, split the work into several tasks, or upload what is large as a file and name it in the input. `detail` names the limit.",
    retry: "changed",
  },
  "unsupported-media-type": {
    meaning:
      "The body is not labelled as what is expected here, which is JSON in UTF-8 without `Content-Encoding` nearly everywhere.",
    remedy: "Set `Content-Type: application/json`, and do not compress the body.",
    retry: "changed",
  },
  "validation-failed": {
    meaning:
      "The request was read, but something in it is missing, unknown, of the wrong type or out of bounds.",
    remedy:
      "`errors` names every wrong place by a JSON Pointer, and says what is wrong with it; `detail` names query parameters. `/v1/types` has the schema of every type's input.",
    retry: "changed",
  },
  "idempotency-key-reused": {
    meaning: "The `Idempotency-Key` was used within the last 24 hours for a request with another body.",
    remedy:
      "Make a new key for new work. If this was meant as a repeat, send exactly the body that was sent first.",
    retry: "changed",
  },
  "unknown-task-type": {
    meaning: "No task type has this name.",
    remedy:
      "`GET /v1/types` lists them. Names are in kebab-case: the file `send_email.ts` is the type `send-email`. New files are found when the service starts.",
    retry: "changed",
  },
  "length-required": {
    meaning:
      "The body came in chunks (`Transfer-Encoding: chunked`) so small and so fast that the server would have had to pile them up in memory.",
    remedy: "Send `Content-Length`, or chunks of 64 KiB.",
    retry: "changed",
  },
  "file-not-found": {
    meaning:
      "There is no file with this id: there never was, its owner deleted it, nothing has used it for as long as unused uploads are kept, or the task that made it is gone.",
    remedy: "Check the id, and upload the file again. A file lives as long as a task that uses it is known.",
    retry: "never",
  },
  "file-in-use": {
    meaning: "The file cannot be deleted: a task that has not finished was given it, or is making it.",
    remedy: "Wait until the task has finished, or cancel it.",
    retry: "later",
  },
  "range-not-satisfiable": {
    meaning: "`Range` begins behind the end of the file, or asks for nothing of it.",
    remedy: "`Content-Range` says how many bytes there are. Leave `Range` out to get them all.",
    retry: "changed",
  },
  "insufficient-storage": {
    meaning:
      "The files of this service take as much room as they may, or its disk is full. Nothing was kept.",
    remedy:
      "Delete files that are no longer needed, or wait until some expire. The operator sets the bound with `FILES_MAX_BYTES`.",
    retry: "later",
  },
  "target-not-allowed": {
    meaning:
      "A URL in the request leads to where tasks may not go: a private, loopback or metadata address, another scheme than http and https, or one with a user and password.",
    remedy:
      "`errors` names the place. Use a public address; the operator lets tasks reach private ones with `EGRESS_ALLOW`.",
    retry: "changed",
  },
  "rate-limited": {
    meaning: "This key has sent more requests, or holds more streams open, than it may.",
    remedy:
      "Wait for `Retry-After` seconds. `RateLimit` and `RateLimit-Policy` say what is left and what is allowed. Many tasks go more cheaply in one batch.",
    retry: "later",
  },
  "internal-error": {
    meaning:
      "A mistake of this service, not of yours. Its operator finds the cause in the log under `requestId`.",
    remedy:
      "Report the `requestId`. It is unknown whether the request had an effect: repeat it only with the same `id` or `Idempotency-Key`.",
    retry: "later",
  },
  "queue-full": {
    meaning:
      "As many tasks are waiting as this service can hold, by number or by bytes. The task was not accepted.",
    remedy:
      "Send it again after `Retry-After` seconds. The operator sets the bounds with `QUEUE_MAX` and `QUEUE_MAX_BYTES`.",
    retry: "later",
  },
  "draining": {
    meaning:
      "The service is shutting down: it ends what it has begun and takes nothing new. The task was not accepted.",
    remedy:
      "Send it again after `Retry-After` seconds, when another instance, or the next one, has taken over.",
    retry: "later",
  },
  "type-unavailable": {
    meaning:
      "The task type exists, but its file could not be loaded, so that nothing can run it. The task was not accepted.",
    remedy: "`detail` says why. The operator mends the file and starts the service again.",
    retry: "later",
  },
};
