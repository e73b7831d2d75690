import type { Logs } from "../../queue/store.ts";
import { isFinal } from "../../queue/task.ts";
import { taskKey } from "./keys.ts";
import type { Entry } from "./journal.ts";
import { eventsAt, eventsBetween, formatPlace, parsePlace, type Place, placeOf } from "./place.ts";
import { type Told, toldOfLines, toldOfTask, withId } from "./told.ts";
import type { Beginning, Subject, Topic } from "./topic.ts";

/** Characters of missed events; more is told as what has come of it. */
const MAX_MISSED = 256 * 1024;

/** One task. An event's id is the place behind it, so it holds in every process. */
export class TaskSubject implements Subject {
  readonly key: string;

  /** @param read the task as it is; throws where there is none */
  constructor(owner: string, id: string, readonly read: () => Promise<Logs>, readonly base?: string) {
    this.key = taskKey(owner, id);
  }

  idOf({ place }: Entry): string {
    return formatPlace(place);
  }

  countOf({ place }: Entry): number {
    return eventsAt(place);
  }

  isLast({ final }: Entry): boolean {
    return final;
  }

  async begin(topic: Topic, last: string): Promise<Beginning | undefined> {
    const logs = await this.read();
    const here = placeOf(logs.task);
    const from = parsePlace(last);
    const missing = from && eventsBetween(from, here);
    if (missing === 0 && isFinal(logs.task.status)) return undefined;
    const known = topic.entries.filter(({ place }) => place.createdAt === here.createdAt);
    const seen = from !== undefined && missing !== undefined ? from : { ...here, version: 0, lines: 0 };
    const missed = missedOf(known, seen, here) ?? freshOf(logs, seen, this.base);
    const told = [...missed, ...known.filter(({ place }) => eventsAt(place) > eventsAt(here))];
    return {
      text: told.map(({ place, text }) => withId(formatPlace(place), text)).join(""),
      count: eventsAt(told.at(-1)?.place ?? here),
      over: told.at(-1)?.final ?? false,
    };
  }
}

/** The events from one place to the other, if all of them are still known and they are not too much. */
function missedOf(known: readonly Told[], from: Place, to: Place): Told[] | undefined {
  const missed = known.filter(({ place }) =>
    eventsAt(place) > eventsAt(from) && eventsAt(place) <= eventsAt(to)
  );
  if (missed.length !== eventsBetween(from, to)) return undefined;
  return missed.reduce((size, { text }) => size + text.length, 0) <= MAX_MISSED ? missed : undefined;
}

/**
 * What has come of events that are no longer known: the log's lines, as far as they are kept, and the task as it is.
 * Where nothing but lines is missing, those are the events themselves.
 */
function freshOf({ task, lines }: Logs, from: Place, base?: string): Told[] {
  const first = Math.max(from.lines, task.lines - lines.length);
  const missing = lines.slice(lines.length - (task.lines - first));
  const told = toldOfLines(task.id, { ...from, lines: first }, missing);
  const complete = from.version === task.version && first === from.lines;
  return complete ? told : [...told, toldOfTask(task, base)];
}
