import { QueueFull } from "../errors.ts";
import type { StoreOptions } from "../store.ts";
import { isFinal, sizeOf, type Task } from "../task.ts";
import { type Entry, weigh } from "./entry.ts";

/** What tasks take up: bounded while they are unfinished, and kept within bounds by retention afterwards. */
export class Room {
  readonly #bounds: Pick<StoreOptions, "maxTasks" | "maxBytes">;
  #unfinished = { count: 0, bytes: 0 };
  #endedBytes = 0;

  constructor(bounds: Pick<StoreOptions, "maxTasks" | "maxBytes">) {
    this.#bounds = bounds;
  }

  /** Bytes of finished tasks. */
  get ended(): number {
    return this.#endedBytes;
  }

  /** @throws {QueueFull} where so many more do not fit */
  check(count: number, bytes: number): void {
    const { maxTasks, maxBytes } = this.#bounds;
    const { count: tasks, bytes: held } = this.#unfinished;
    if (tasks + count > maxTasks || held + bytes > maxBytes) throw new QueueFull(1);
  }

  enter(entry: Entry): void {
    this.#count(isFinal(entry.task.status), 1, weigh(entry));
  }

  leave(entry: Entry): void {
    this.#count(isFinal(entry.task.status), -1, -weigh(entry));
  }

  /** An unfinished task has become that much larger. */
  grow(bytes: number): void {
    this.#unfinished.bytes += bytes;
  }

  /** For a task that is to come. */
  reserve(task: Task): void {
    this.#count(false, 1, sizeOf(task));
  }

  /** It comes. */
  release(task: Task): void {
    this.#count(false, -1, -sizeOf(task));
  }

  #count(ended: boolean, count: number, bytes: number): void {
    if (ended) {
      this.#endedBytes += bytes;
    } else {
      this.#unfinished.count += count;
      this.#unfinished.bytes += bytes;
    }
  }
}
