import type { LogLine, Task } from "./task.ts";

/** What happened to a task. */
export interface Change {
  /** The task right after it. */
  readonly task: Task;
  /** `log`: it has logged lines and is otherwise as it was; `progress`: it has told its progress; else `state`. */
  readonly kind: "state" | "progress" | "log";
  /** Those that were logged; none for other kinds. */
  readonly lines: readonly LogLine[];
}

/** Called with what has happened, in order. It must not throw. */
export type Listener = (changes: readonly Change[]) => void;

const NONE: readonly LogLine[] = [];

/**
 * Who hears of changes. Changes are handed over in lists, one per turn of the event loop, so a listener is called
 * once for a thousand tasks, and never inside the verb that caused the change.
 */
export class Changes {
  #listeners = new Set<Listener>();
  #pending: Change[] = [];

  /** Returns the function that ends the subscription. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  publish(task: Task, kind: Change["kind"] = "state", lines = NONE): void {
    if (this.#listeners.size === 0) return;
    if (this.#pending.push({ task, kind, lines }) === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const changes = this.#pending;
    this.#pending = [];
    for (const listener of this.#listeners) listener(changes);
  }
}
