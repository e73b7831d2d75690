import type { Files } from "../queue/files/files.ts";
import { filesNamedIn } from "../tasks/mod.ts";
import { pointer } from "./json.ts";
import { invalid, Problem } from "./problem.ts";

const MOST = 100;

/**
 * Keeps the files that an input names for as long as the task is known.
 *
 * @param at where in the body the task stands
 * @throws {Problem} where the owner has no such file, pointing at each
 */
export async function holdFiles(
  files: Files | undefined,
  owner: string,
  task: string,
  input: unknown,
  at: readonly PropertyKey[] = [],
): Promise<void> {
  const named = filesNamedIn(input);
  if (named.length === 0) return;
  if (named.length > MOST) throw invalid(pointer([...at, "input"]), `must name at most ${MOST} files`);
  const ids = [...new Set(named.map(({ id }) => id))];
  const missing = files === undefined ? ids : await files.hold(owner, task, ids);
  if (missing.length === 0) return;
  const errors = named.filter(({ id }) => missing.includes(id)).map(({ path }) => ({
    pointer: pointer([...at, "input", ...path]),
    detail: "is not the id of a file of yours",
  }));
  throw new Problem("validation-failed", undefined, { errors });
}
