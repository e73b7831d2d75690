import type { Store } from "../queue/store.ts";
import { Problem } from "./problem.ts";
import { taskId } from "./submission.ts";

/**
 * What `verb` answers for the owner's task of a path.
 *
 * @param given as it stands in the path
 * @throws {Problem} `task-not-found`, `task-expired`
 */
export async function found<T>(
  store: Pick<Store, "hasExpired">,
  owner: string,
  given: string | undefined,
  verb: (owner: string, id: string) => Promise<T | undefined>,
): Promise<T> {
  const id = taskId(given ?? "");
  const answer = id === undefined ? undefined : await verb(owner, id);
  if (answer !== undefined) return answer;
  const expired = id !== undefined && await store.hasExpired(owner, id);
  throw new Problem(expired ? "task-expired" : "task-not-found");
}
