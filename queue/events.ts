import type { Task } from "./task.ts";

/** Called with the latest snapshots of the tasks that changed, in order of their change. It must not throw. */
export type Listener = (changed: readonly Task[]) => void;

/**
 * Who hears of changes. Changes are handed over in lists, one per turn of the event loop, so a listener is called
 * once for a thousand tasks, and never inside the verb that caused the change.
 */
export class Changes {
  #listeners = new Set<Listener>();
  #pending: Task[] = [];

  /** Returns the function that ends the subscription. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  publish(task: Task): void {
    if (this.#listeners.size === 0) return;
    if (this.#pending.push(task) === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const changed = this.#pending;
    this.#pending = [];
    for (const listener of this.#listeners) listener(changed);
  }
}
