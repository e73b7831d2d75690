/**
 * The port between the queue and whoever carries tasks out: the dispatcher hands over claims and hears outcomes.
 * `workers/` implements it; the queue knows nothing of threads and processes.
 */
import type { Checkpoint, Claim, Report, Token, Want } from "./store.ts";

/** Why an attempt went wrong, as told by the worker, or by those who found it dead. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** A worker or runner died, and this task alone can have caused it. */
  readonly crash?: boolean;
  /** Milliseconds the next attempt waits at least. */
  readonly retryAfter?: number;
  readonly details?: Readonly<Record<string, unknown>>;
  /** For the operator's log alone. */
  readonly stack?: string;
}

/** What became of an attempt. */
export type Outcome =
  & { readonly token: Token }
  & (
    | { readonly as: "succeeded"; readonly result: string | undefined }
    | { readonly as: "failed"; readonly failure: Failure }
    /** Cut short through no fault of its own; `alone` where it was in company when something died. */
    | { readonly as: "released"; readonly alone: boolean }
  );

/** Why a handler is told to stop; also the code of an attempt that obeyed. */
export type StopReason = "cancelled" | "shutdown_aborted";

/** Carries tasks out. */
export interface Runners {
  /** What could be started now: of the tasks that must run alone, or of the others. */
  wants(alone: boolean): Want[];
  /** Each claim is answered by one outcome, sooner or later. */
  start(claims: readonly Claim[]): void;
  /** The handler is asked to stop, then made to. */
  stop(token: Token, reason: StopReason): void;
  /** The claim is lost: stop the handler, and tell nobody. */
  abandon(token: Token): void;
  /** Where outcomes and reports go, and whom to tell that there is room again. Called once, before `start`. */
  connect(ear: Ear): void;
  /** Ends all runners at once; what they still run is released. */
  close(): Promise<void>;
}

export interface Ear {
  outcomes(list: readonly Outcome[]): void;
  reports(list: readonly Report[]): void;
  /** Answers which of them are kept, once they are. Never fails. */
  checkpoints(list: readonly Checkpoint[]): Promise<boolean[]>;
  room(): void;
}
