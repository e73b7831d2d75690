/** What subjects are called by: an owner's name has no spaces, ids have neither spaces nor stars. */
import type { Task } from "../../queue/task.ts";

export function taskKey(owner: string, id: string): string {
  return `${id} ${owner}`;
}

export function batchKey(owner: string, id: string): string {
  return `*${id} ${owner}`;
}

/** Of all tasks of the owner. */
export function ownerKey(owner: string): string {
  return `* ${owner}`;
}

/** All subjects that a change of the task is an event of. */
export function keysOf({ id, owner, extras }: Task): string[] {
  const keys = [taskKey(owner, id), ownerKey(owner)];
  if (extras?.batch !== undefined) keys.push(batchKey(owner, extras.batch));
  return keys;
}
