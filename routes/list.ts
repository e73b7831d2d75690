import { createHash } from "node:crypto";
import type { Hono } from "hono";
import type { ListQuery, Store } from "../queue/store.ts";
import { type Status, STATUSES } from "../queue/task.ts";
import type { AppDeps } from "./deps.ts";
import { Problem } from "./problem.ts";
import { renderTask } from "./render.ts";
import { reply } from "./reply.ts";
import { instant, taskId } from "./submission.ts";

const PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 200;
/** Characters of rendered tasks past which a page ends early. */
const PAGE_BUDGET = 4 * 1024 * 1024;
/** Values of one repeated parameter; more is no filter that anybody means. */
const MAX_VALUES = 100;

const REPEATABLE = new Set(["status", "type"]);
const PARAMETERS = new Set([
  ...REPEATABLE,
  "batch",
  "parent",
  "createdAfter",
  "createdBefore",
  "pageSize",
  "pageToken",
]);

/** `GET /v1/tasks`: a page of tasks, newest first. */
export function mountList(app: Hono, { store, admit, base }: AppDeps): void {
  app.get("/v1/tasks", async (c) => {
    const { owner } = admit(c.req.raw, "read");
    const parameters = queryOf(c.req.url);
    const query = parseQuery(parameters);
    const filter = fingerprint(query);
    const token = parameters.get("pageToken");
    const cursor = token === null ? undefined : openToken(token, filter);

    const page = await pageWithin(PAGE_BUDGET, store, owner, { ...query, cursor }, base);
    const tasks = `{"tasks":[${page.texts.join(",")}]`;
    const headers = { "cache-control": "private, no-cache" };
    if (page.cursor === undefined) return reply(200, `${tasks}}`, headers);
    const next = sealToken(page.cursor, filter);
    parameters.set("pageToken", next);
    const link = `</v1/tasks?${parameters}>; rel="next"`;
    return reply(200, `${tasks},"nextPageToken":"${next}"}`, { ...headers, link });
  });
}

/** Taken from the text: to parse the whole URL would cost more and can fail. */
function queryOf(url: string): URLSearchParams {
  const at = url.indexOf("?");
  return new URLSearchParams(at < 0 ? "" : url.slice(at + 1));
}

/**
 * A page of as many tasks as the budget allows, and one at least. Where it does not allow all of them the store is
 * asked again for fewer, so that the cursor goes on right behind the last one.
 */
async function pageWithin(budget: number, store: Store, owner: string, query: ListQuery, base?: string) {
  for (let limit = query.limit;;) {
    const { tasks, cursor } = await store.list(owner, { ...query, limit });
    const texts: string[] = [];
    let size = 0;
    for (const task of tasks) {
      const text = renderTask(task, base);
      size += text.length;
      if (size > budget && texts.length > 0) break;
      texts.push(text);
    }
    if (texts.length === tasks.length) return { texts, cursor };
    limit = texts.length;
  }
}

type Query = Omit<ListQuery, "cursor">;

function parseQuery(parameters: URLSearchParams): Query {
  for (const name of new Set(parameters.keys())) {
    if (!PARAMETERS.has(name)) throw wrong(name.slice(0, 64), "is not a known parameter");
    const most = REPEATABLE.has(name) ? MAX_VALUES : 1;
    if (parameters.getAll(name).length > most) throw wrong(name, `must be given at most ${times(most)}`);
  }
  return {
    statuses: nonEmpty(parameters.getAll("status").map(parseStatus)),
    types: nonEmpty(parameters.getAll("type")),
    batch: parseId(parameters, "batch"),
    parent: parseId(parameters, "parent"),
    createdAfter: parseTime(parameters, "createdAfter"),
    createdBefore: parseTime(parameters, "createdBefore"),
    limit: parsePageSize(parameters.get("pageSize")),
  };
}

function parseId(parameters: URLSearchParams, name: string): string | undefined {
  const text = parameters.get(name);
  if (text === null) return undefined;
  const id = taskId(text);
  if (id === undefined) throw wrong(name, "must be a UUID");
  return id;
}

function parseStatus(text: string): Status {
  const status = STATUSES.find((one) => one === text);
  if (status === undefined) throw wrong("status", `must be one of ${STATUSES.join(", ")}`);
  return status;
}

function parsePageSize(text: string | null): number {
  if (text === null) return PAGE_SIZE;
  const size = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (size < 1 || size > MAX_PAGE_SIZE) {
    throw wrong("pageSize", `must be a whole number from 1 to ${MAX_PAGE_SIZE}`);
  }
  return size;
}

function parseTime(parameters: URLSearchParams, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === null) return undefined;
  // The `+` of an offset is a space in a query unless it was encoded, which everybody forgets.
  const parsed = instant.safeParse(text.replace(" ", "+"));
  if (!parsed.success) throw wrong(name, parsed.error.issues[0]!.message);
  return parsed.data;
}

function nonEmpty<T>(values: T[]): T[] | undefined {
  return values.length === 0 ? undefined : values;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

function wrong(name: string, detail: string): Problem {
  return new Problem("validation-failed", `The query parameter ${name} ${detail}.`);
}

/** Queries with the same fingerprint select the same tasks, page by page of whatever size. */
function fingerprint(
  { statuses = [], types = [], batch, parent, createdAfter, createdBefore }: Query,
): string {
  return JSON.stringify([statuses.toSorted(), types.toSorted(), batch, parent, createdAfter, createdBefore]);
}

/** A cursor that goes with its filter, so that another filter's is noticed rather than answered at random. */
function sealToken(cursor: string, filter: string): string {
  return `${digest(cursor, filter)}${btoa(cursor).replaceAll("+", "-").replaceAll("/", "_")}`;
}

const DIGEST = 16;

function openToken(token: string, filter: string): string {
  try {
    const cursor = atob(token.slice(DIGEST).replaceAll("-", "+").replaceAll("_", "/"));
    if (digest(cursor, filter) === token.slice(0, DIGEST)) return cursor;
  } catch {
    // Not even Base64: no token of ours.
  }
  throw wrong("pageToken", "does not belong to this list");
}

function digest(cursor: string, filter: string): string {
  return createHash("sha256").update(`${filter}\n${cursor}`).digest("base64url").slice(0, DIGEST);
}
