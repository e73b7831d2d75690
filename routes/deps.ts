import type { Store } from "../queue/store.ts";
import type { Registry } from "../tasks/lib/registry.ts";

/** What the routes are given; nothing in `routes/` reads the environment or the clock by itself. */
export interface AppDeps {
  readonly store: Store;
  readonly registry: Registry;
  /** Ids of new tasks: lower-case UUIDs. */
  readonly newId: () => string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly limits: Limits;
  readonly health: Health;
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
}

export interface Health {
  /** The service is shutting down and takes no more work. */
  draining(): boolean;
  /** Why the service is not ready, each a line. */
  problems(): string[];
  /** Promises that are off by configuration, each a line. */
  notices(): string[];
}

/** Whose tasks a request sees: everybody's the same while there are no API keys. */
export const OWNER = "";

/** Seconds after which an unfinished task, or a type that cannot run, is worth another look. */
export const RETRY_AFTER = { unfinished: 1, draining: 5, unavailable: 60 } as const;
