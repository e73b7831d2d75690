import { RETRY_AFTER } from "./deps.ts";
import {
  type Extras,
  isFinal,
  type LogLine,
  type Progress,
  type Task,
  type TaskError,
} from "../queue/task.ts";

/**
 * The one shape in which clients see a task: in answers, lists, events and webhooks. Texts marked "JSON" in the
 * task are spliced in as they are; `JSON.stringify` of the whole would parse and write them again.
 *
 * @param base where the service is mounted
 */
export function renderTask(task: Task, base = ""): string {
  const { id } = task;
  const self = `${base}/v1/tasks/${id}`;
  return `{"id":"${id}","type":${JSON.stringify(task.type)},"status":"${task.status}"` +
    (task.progress === undefined ? "" : `,"progress":${renderProgress(task.progress)}`) +
    `,"attempt":${task.attempt},"maxAttempts":${task.maxAttempts},"priority":${task.priority}` +
    raw("metadata", task.metadata) +
    `,"version":${task.version}` +
    raw("result", task.result) +
    (task.error === undefined ? "" : `,"error":${renderError(task.error)}`) +
    `,"createdAt":"${isoTime(task.createdAt)}"` +
    time("runAt", task.runAt) +
    time("startedAt", task.startedAt) +
    time("finishedAt", task.finishedAt) +
    time("expiresAt", task.expiresAt) +
    time("cancelRequestedAt", task.cancelRequestedAt) +
    (task.extras === undefined ? "" : renderExtras(task.extras)) +
    `,"links":{"self":"${self}","events":"${self}/events","result":"${self}/result","logs":"${self}/logs",` +
    `"cancel":"${self}/cancel","retry":"${self}/retry"}}`;
}

/** A webhook's secret is nobody's to see. */
function renderExtras({ batch, parent, uniqueKey, webhook }: Extras): string {
  const { url, events } = webhook ?? {};
  const told = webhook && { url, events: events?.map((status) => `task.${status}`) };
  const text = JSON.stringify({ batch, parent, uniqueKey: uniqueKey?.key, webhook: told });
  return text === "{}" ? "" : `,${text.slice(1, -1)}`;
}

export function renderLogs(lines: readonly LogLine[]): string {
  return JSON.stringify({
    lines: lines.map(({ at, level, message }) => ({ at: isoTime(at), level, message })),
  });
}

/**
 * A weak one: two answers of the same version may differ in their order of keys. With the time of creation, as
 * versions begin anew where an id is used again after a DELETE.
 */
export function etagOf(task: Task): string {
  return `W/"${task.createdAt.toString(36)}-${task.version}"`;
}

/** Seconds after which to look again, as a header; nothing for a finished task. */
export function retryAfter(task: Task, now: number): { "retry-after"?: string } {
  if (isFinal(task.status)) return {};
  const wait = task.status === "scheduled" && task.runAt !== undefined
    ? Math.ceil((task.runAt - now) / 1000)
    : 0;
  return { "retry-after": String(Math.max(RETRY_AFTER.unfinished, wait)) };
}

let lastTime = NaN;
let lastText = "";

/** RFC 3339 of milliseconds since the epoch. Remembers the last one: under load most times are the same. */
export function isoTime(at: number): string {
  if (at !== lastTime) {
    lastText = new Date(at).toISOString();
    lastTime = at;
  }
  return lastText;
}

function time(name: string, at: number | undefined): string {
  return at === undefined ? "" : `,"${name}":"${isoTime(at)}"`;
}

function raw(name: string, json: string | undefined): string {
  return json === undefined ? "" : `,"${name}":${json}`;
}

function renderProgress({ current, total, message }: Progress): string {
  return JSON.stringify({ current, total, message });
}

function renderError({ code, message, retryable, attempt, at, details }: TaskError): string {
  return JSON.stringify({ code, message, retryable, attempt, at: isoTime(at), details });
}
