import assert from "node:assert/strict";
import type { Hono } from "hono";
import { uuidv7 } from "uuidv7";
import { z } from "zod";
import type { Store, StoreOptions, Token } from "../../queue/store.ts";
import { createMemoryStore } from "../../queue/stores/memory.ts";
import { anonymous } from "../../routes/admit.ts";
import { type AppDeps, createApp } from "../../routes/app.ts";
import { Streams } from "../../routes/rate.ts";
import { Waiters } from "../../routes/waiting/waiters.ts";
import { PROBLEMS } from "../../routes/problem.ts";
import { defineTask, type TaskDefinition } from "../../tasks/mod.ts";
import type { TaskType } from "../../tasks/lib/registry.ts";

export const ANY = defineTask({ description: "Takes anything", input: z.unknown(), run: () => null });
export const MAIL = defineTask({
  input: z.object({ to: z.array(z.email()).max(500), subject: z.string() }),
  result: z.object({ messageId: z.string() }),
  timeout: "1500ms",
  maxAttempts: 3,
  run: () => ({ messageId: "1" }),
});

export function typeOf(type: string, definition?: TaskDefinition, unavailable?: string): [string, TaskType] {
  return [type, { type, module: `file:///${type}.ts`, definition, unavailable }];
}

export interface Bench {
  readonly app: Hono;
  readonly store: Store;
  /** What was logged. */
  readonly logged: unknown[];
  /** Moves the clock. */
  pass(milliseconds: number): void;
}

export interface Setting extends Partial<Omit<AppDeps, "limits" | "now">> {
  readonly limits?: Partial<AppDeps["limits"]>;
  readonly bounds?: Partial<StoreOptions>;
  readonly types?: readonly [string, TaskType][];
  readonly waitersOf?: (store: Store) => Waiters;
}

export function bench({ limits, bounds, types = [], waitersOf, ...deps }: Setting = {}): Bench {
  let clock = Date.UTC(2030, 0, 1);
  const now = () => clock;
  const logged: unknown[] = [];
  const store = deps.store ?? createMemoryStore({
    maxTasks: 10_000,
    maxBytes: 1e9,
    retentionSucceeded: 60_000,
    retentionFailed: 60_000,
    retentionBytes: 1e9,
    now,
    ...bounds,
  });
  waitersOf ??= (store) => new Waiters({ store, waitMax: 60_000, waitersMax: 100, drain: deps.drain });
  const app = createApp({
    registry: new Map([typeOf("any", ANY), typeOf("send-email", MAIL), ...types]),
    version: "1.2.3",
    newId: uuidv7,
    admit: anonymous,
    health: { draining: () => false, problems: () => [], notices: () => [] },
    finished: () => 0,
    waiters: waitersOf(store),
    streams: new Streams(3),
    log: (error) => logged.push(error),
    ...deps,
    store,
    now,
    limits: {
      body: 100_000,
      jsonDepth: 64,
      jsonNodes: 10_000,
      bodyTimeout: 15_000,
      streamsMax: 10,
      batchBody: 1e7,
      idempotencyKept: 86_400_000,
      ...limits,
    },
  });
  return { app, store, logged, pass: (milliseconds) => clock += milliseconds };
}

/** All routes, as `GET /v1/tasks/{id}`. */
export function routesOf(app: Hono): string[] {
  // Middleware is for all methods, and several handlers can make up a route.
  const routes = app.routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)(?:\{[^}]*\})?/g, "{$1}")}`);
  return [...new Set(routes)];
}

/** `body` as it is where it is bytes or text, else as JSON. */
export function post(app: Hono, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  const raw = typeof body === "string" || body instanceof Uint8Array;
  return Promise.resolve(app.request("/v1/tasks", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: raw ? body as BodyInit : JSON.stringify(body),
  }));
}

export interface TaskBody {
  readonly id: string;
  readonly status: string;
  readonly version: number;
  readonly links: Readonly<Record<string, string>>;
  readonly [name: string]: unknown;
}

export async function submit(app: Hono, body: Record<string, unknown> = {}): Promise<TaskBody> {
  const answer = await post(app, { type: "any", input: {}, ...body });
  assert.equal(answer.status, 202);
  return await answer.json();
}

export interface ProblemBody {
  readonly code: keyof typeof PROBLEMS;
  readonly detail?: string;
  readonly instance: string;
  readonly requestId: string;
  readonly errors?: readonly { pointer: string; detail: string }[];
}

/** The answer is this problem, in the form that every problem has. */
export async function isProblem(answer: Response, code: keyof typeof PROBLEMS): Promise<ProblemBody> {
  const text = await answer.text();
  assert.equal(answer.headers.get("content-type"), "application/problem+json", text);
  const body = JSON.parse(text);
  const [status, title] = PROBLEMS[code];
  assert.deepEqual([body.code, body.status, answer.status], [code, status, status], text);
  assert.deepEqual([body.type, body.title], [`/problems/${code}`, title]);
  assert.equal(answer.headers.get("x-request-id"), body.requestId);
  assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
  return body;
}

/** Takes the one queued task, as a dispatcher would. */
export async function claim(store: Store, type = "any"): Promise<Token> {
  const [claimed] = await store.claim([{ type, alone: false, limit: 1 }], Number.MAX_SAFE_INTEGER);
  return claimed!.token;
}
