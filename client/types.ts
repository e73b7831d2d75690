/** What the client speaks of: what the service answers, and what task types take and give. */
import type { z } from "zod";

/** A type by its file (`typeof import("./tasks/send_email.ts")`, or its `.default`), or by its two types. */
export interface TypeOfTask {
  readonly input: unknown;
  readonly result?: unknown;
}
export type TaskMap = Readonly<Record<string, TypeOfTask | { readonly default: TypeOfTask }>>;

/** The types that every service has; what a client knows unless it is told otherwise. */
export type BuiltInTasks = {
  readonly "count-primes": typeof import("../tasks/count_primes.ts").default;
  readonly "deliver-webhook": typeof import("../tasks/deliver_webhook.ts").default;
  readonly "fetch-url": typeof import("../tasks/fetch_url.ts").default;
  readonly "generate-pdf": typeof import("../tasks/generate_pdf.ts").default;
  readonly "process-file": typeof import("../tasks/process_file.ts").default;
  readonly "process-image": typeof import("../tasks/process_image.ts").default;
  readonly "scrape-page": typeof import("../tasks/scrape_page.ts").default;
  readonly "send-bulk-email": typeof import("../tasks/send_bulk_email.ts").default;
  readonly "send-email": typeof import("../tasks/send_email.ts").default;
  readonly "send-notification": typeof import("../tasks/send_notification.ts").default;
  readonly "sleep": typeof import("../tasks/sleep.ts").default;
  readonly "update-database": typeof import("../tasks/update_database.ts").default;
};

/** For clients that know no types: any name, any input. */
export type AnyTasks = Readonly<Record<string, { readonly input: unknown; readonly result: unknown }>>;

type Definition<T> = T extends { readonly default: infer Default } ? Default : T;

/** What a type takes, before its schema has filled in defaults. */
export type InputOf<T> = Definition<T> extends { readonly input: infer Input }
  ? Input extends z.ZodType ? z.input<Input> : Input
  : never;

/** What a type gives; `unknown` where it has no schema for it. */
export type ResultOf<T> = Definition<T> extends { readonly result?: infer Result }
  ? [NonNullable<Result>] extends [z.ZodType] ? z.output<NonNullable<Result>> : Result
  : unknown;

export type Status = "scheduled" | "queued" | "running" | Final;
/** Statuses that never change. */
export type Final = "succeeded" | "failed" | "cancelled";

export interface Progress {
  readonly current: number;
  readonly total?: number;
  readonly message?: string;
}

export interface TaskError {
  /** Such as `handler_error` or `timeout`. */
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly attempt: number;
  /** RFC 3339, as all times are. */
  readonly at: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export type Metadata = Readonly<Record<string, string | number | boolean | null>>;

interface Common<Type extends string> {
  readonly id: string;
  readonly type: Type;
  readonly progress?: Progress;
  /** Attempts begun. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly priority: number;
  readonly metadata?: Metadata;
  /** Grows with every change. */
  readonly version: number;
  readonly createdAt: string;
  readonly runAt?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly expiresAt?: string;
  readonly cancelRequestedAt?: string;
  readonly links: Readonly<Record<string, string>>;
}

/** A task as the service shows it, once it has ended. */
export type FinalView<Result = unknown, Type extends string = string> =
  | Common<Type> & { readonly status: "succeeded"; readonly result: Result }
  | Common<Type> & { readonly status: "failed"; readonly error: TaskError }
  | Common<Type> & { readonly status: "cancelled"; readonly error?: TaskError };

/** A task as the service shows it: everywhere the same, told apart by `status`. */
export type TaskView<Result = unknown, Type extends string = string> =
  | FinalView<Result, Type>
  | Common<Type> & {
    readonly status: Exclude<Status, Final>;
    /** Of the last attempt, while the next one is waited for. */
    readonly error?: TaskError;
  };

export function isFinal<Result, Type extends string>(
  view: TaskView<Result, Type>,
): view is FinalView<Result, Type> {
  return view.status === "succeeded" || view.status === "failed" || view.status === "cancelled";
}

/** Something that happened to a task, in the order in which it did. */
export type TaskEvent<Result = unknown, Type extends string = string> =
  | {
    readonly event: "task.updated" | "task.progress" | "task.succeeded" | "task.failed" | "task.cancelled";
    /** To begin behind it: `lastEventId`. */
    readonly id: string;
    readonly data: TaskView<Result, Type>;
  }
  | { readonly event: "task.log"; readonly id: string; readonly data: LogLine & { readonly task: string } };

export interface LogLine {
  readonly at: string;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
}

/** What a task can be submitted with besides `type` and `input`. Durations are texts such as `"30s"`. */
export interface TaskSettings {
  /** A UUID, chosen by the client. */
  readonly id?: string;
  /** Not before this time. */
  readonly runAt?: Date | string;
  readonly delay?: string;
  readonly priority?: number;
  /** Of one attempt. */
  readonly timeout?: string;
  readonly maxAttempts?: number;
  readonly uniqueKey?: {
    readonly key: string;
    readonly for: string;
    readonly onConflict?: "return" | "reject" | "replace";
  };
  readonly webhook?: { readonly url: string; readonly events?: readonly string[]; readonly secret?: string };
  readonly metadata?: Metadata;
  readonly parent?: string;
}

/** A task to submit, its input as its type wants it. */
export type Draft<T extends TaskMap> = {
  [Type in keyof T & string]: { readonly type: Type; readonly input: InputOf<T[Type]> } & TaskSettings;
}[keyof T & string];

export interface TypeView {
  readonly type: string;
  readonly description?: string;
  readonly available: boolean;
  readonly unavailable?: string;
  readonly timeout?: string;
  readonly maxAttempts?: number;
  /** JSON Schema. */
  readonly input?: unknown;
  readonly result?: unknown;
}

export interface FileView {
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string;
  readonly sha256: string;
  readonly name?: string;
  readonly createdAt: string;
}
