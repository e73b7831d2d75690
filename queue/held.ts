import type { Claim } from "./store.ts";
import type { Task } from "./task.ts";

/** The claims that a dispatcher holds, by token and by task. */
export class Held {
  readonly #claims = new Map<string, Claim>();
  readonly #tokens = new Map<string, string>();

  get size(): number {
    return this.#claims.size;
  }

  get tokens(): string[] {
    return [...this.#claims.keys()];
  }

  add(claim: Claim): void {
    this.#claims.set(claim.token, claim);
    this.#tokens.set(keyOf(claim.task), claim.token);
  }

  has(token: string): boolean {
    return this.#claims.has(token);
  }

  get(token: string): Claim | undefined {
    return this.#claims.get(token);
  }

  tokenOf(task: Task): string | undefined {
    return this.#tokens.get(keyOf(task));
  }

  /** Answers the claim that is let go of. */
  take(token: string): Claim | undefined {
    const claim = this.#claims.get(token);
    if (claim === undefined) return undefined;
    this.#claims.delete(token);
    this.#tokens.delete(keyOf(claim.task));
    return claim;
  }
}

/** Ids are unique for one owner. */
function keyOf(task: Task): string {
  return `${task.owner}/${task.id}`;
}
