import type { Files } from "../queue/files/files.ts";
import type { Store } from "../queue/store.ts";
import type { Registry } from "../tasks/lib/registry.ts";
import type { AllowList } from "../tasks/mod.ts";
import type { Admit } from "./admit.ts";
import type { Streams } from "./rate.ts";
import type { Waiters } from "./waiting/waiters.ts";

/** What the routes are given; nothing in `routes/` reads the environment or the clock by itself. */
export interface AppDeps {
  readonly store: Store;
  /** Without them there are no routes for files. */
  readonly files?: Files;
  readonly registry: Registry;
  /** This program's. */
  readonly version: string;
  /** Where it is mounted, percent-encoded: what its own paths begin with in what it answers. `""` unless given. */
  readonly base?: string;
  /** Ids of new tasks: lower-case UUIDs. */
  readonly newId: () => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly limits: Limits;
  /** Targets of webhooks besides public addresses. */
  readonly egress?: AllowList;
  /** Whose tasks a request sees, and what it may do. */
  readonly admit: Admit;
  /** Without keys: requests by another name than this machine's own are refused. */
  readonly loopbackOnly?: boolean;
  readonly health: Health;
  /** Aborts when the service begins to drain: what is held open ends. */
  readonly drain?: AbortSignal;
  readonly waiters: Waiters;
  readonly streams: Streams;
  /** Tasks that finished since the start. */
  readonly finished: () => number;
  /** Told of every unexpected exception; writes a line to the console unless given. */
  readonly log?: (error: unknown, requestId: string) => void;
}

export interface Limits {
  /** Bytes of a body. */
  readonly body: number;
  /** Levels of arrays and objects in a body. */
  readonly jsonDepth: number;
  /** Values in a body, those inside others included. */
  readonly jsonNodes: number;
  /** Milliseconds without a byte after which a body is given up. */
  readonly bodyTimeout: number;
  /** Streams of events, of all callers together. */
  readonly streamsMax: number;
  /** Bytes of a batch's body. */
  readonly batchBody: number;
  /** Milliseconds that an idempotency key is remembered. */
  readonly idempotencyKept: number;
}

export interface Health {
  /** The service is shutting down and takes no more work. */
  draining(): boolean;
  /** Why the service is not ready, each a line. */
  problems(): string[];
  /** Why types cannot run that could be loaded at the start, by type. */
  broken?(): ReadonlyMap<string, string>;
  /** Promises that are off by configuration, each a line. */
  notices(): string[];
}

/** Seconds after which an unfinished task, or a type that cannot run, is worth another look. */
export const RETRY_AFTER = { unfinished: 1, draining: 5, unavailable: 60 } as const;
