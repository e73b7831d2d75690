import type { Claim, Token } from "./store.ts";
import type { Task } from "./task.ts";

/** The claims that a dispatcher holds, by token. */
export class Held {
  readonly #claims = new Map<Token, Claim>();

  get size(): number {
    return this.#claims.size;
  }

  get tokens(): Token[] {
    return [...this.#claims.keys()];
  }

  add(claim: Claim): void {
    this.#claims.set(claim.token, claim);
  }

  has(token: Token): boolean {
    return this.#claims.has(token);
  }

  get(token: Token): Claim | undefined {
    return this.#claims.get(token);
  }

  take(token: Token): Claim | undefined {
    const claim = this.#claims.get(token);
    this.#claims.delete(token);
    return claim;
  }

  /** The token of a running task. Cancels are rare: a second index would cost more with every claim. */
  tokenOf({ owner, id }: Task): Token | undefined {
    for (const { token, task } of this.#claims.values()) {
      if (task.id === id && task.owner === owner) return token;
    }
  }
}
