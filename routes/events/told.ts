/** Changes of tasks as events of a stream (WHATWG HTML, 9.2.5). */
import type { Change } from "../../queue/events.ts";
import { isFinal, type LogLine, type Task } from "../../queue/task.ts";
import { isoTime, renderTask } from "../render.ts";
import { type Place, placeOf } from "./place.ts";

/** An event, rendered once for all who are sent it. */
export interface Told {
  /** Right behind it. */
  readonly place: Place;
  /** All of it but its `id`, which is not the same in all streams. */
  readonly text: string;
  /** The task has ended with it. */
  readonly final: boolean;
}

/** @param base where the service is mounted */
export function toldOf({ task, kind, lines }: Change, base = ""): Told[] {
  if (kind === "log") {
    return toldOfLines(task.id, { ...placeOf(task), lines: task.lines - lines.length }, lines);
  }
  return [toldOfTask(task, base, kind === "progress" ? "task.progress" : undefined)];
}

/** The task as it is. */
export function toldOfTask(task: Task, base = "", name?: string): Told {
  const final = isFinal(task.status);
  name ??= final ? `task.${task.status}` : "task.updated";
  return { place: placeOf(task), text: eventText(name, renderTask(task, base)), final };
}

/** Lines that were logged one after the other, the first of them right behind `place`. */
export function toldOfLines(id: string, place: Place, lines: readonly LogLine[]): Told[] {
  return lines.map(({ at, level, message }, index) => ({
    place: { ...place, lines: place.lines + index + 1 },
    text: eventText("task.log", JSON.stringify({ task: id, at: isoTime(at), level, message })),
    final: false,
  }));
}

/** @param json on however many lines: between its values, where alone they can be, line breaks are but space */
export function eventText(name: string, json: string): string {
  return `event: ${name}\ndata: ${json.replace(/[\r\n]/g, " ")}\n\n`;
}

/** An event with its id, ready to be sent. */
export function withId(id: string, text: string): string {
  return `id: ${id}\n${text}`;
}
