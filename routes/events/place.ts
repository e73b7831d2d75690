import type { Task } from "../../queue/task.ts";

/**
 * Where one is in what there is to tell of a task. Each event of it makes either the version or the lines one more,
 * so the places of two events say how many there are between them.
 */
export interface Place {
  /** Of the task: where its id is used again after a DELETE, all begins anew. */
  readonly createdAt: number;
  readonly version: number;
  /** That it had logged. */
  readonly lines: number;
}

/** The place behind all that has happened to the task so far. */
export function placeOf({ createdAt, version, lines }: Task): Place {
  return { createdAt, version, lines };
}

/** Events that have been told of the task at this place. */
export function eventsAt({ version, lines }: Place): number {
  return version + lines;
}

/** Events from one place to the other; `undefined` where no events lead there. */
export function eventsBetween(from: Place, to: Place): number | undefined {
  const { createdAt, version, lines } = from;
  const ahead = createdAt === to.createdAt && version <= to.version && lines <= to.lines;
  return ahead ? eventsAt(to) - eventsAt(from) : undefined;
}

/** As it stands in `id` and `Last-Event-ID`. */
export function formatPlace({ createdAt, version, lines }: Place): string {
  return `${createdAt.toString(36)}-${version}.${lines}`;
}

/** `undefined` for what is none of ours. */
export function parsePlace(text: string): Place | undefined {
  const [, createdAt, version, lines] = /^([0-9a-z]{1,9})-(\d{1,10})\.(\d{1,10})$/.exec(text) ?? [];
  if (createdAt === undefined) return undefined;
  return { createdAt: parseInt(createdAt, 36), version: Number(version), lines: Number(lines) };
}
