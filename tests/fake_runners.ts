import type { Ear, Failure, Outcome, Runners } from "../queue/outcome.ts";
import type { Claim, Token, Want } from "../queue/store.ts";

/** Runners in name only: the test says what comes of each claim. */
export class FakeRunners implements Runners {
  readonly claims: Claim[] = [];
  readonly stopped: string[] = [];
  readonly abandoned: Token[] = [];
  readonly most: number;
  ear!: Ear;
  closed = false;

  constructor(most = 10) {
    this.most = most;
  }
  wants(alone: boolean): Want[] {
    const limit = this.most - this.claims.length;
    return limit > 0 ? [{ type: "t", alone, limit }] : [];
  }
  start(claims: readonly Claim[]): void {
    this.claims.push(...claims);
  }
  stop(token: Token, reason: string): void {
    this.stopped.push(`${this.#of(token)?.task.id} ${reason}`);
  }
  abandon(token: Token): void {
    this.abandoned.push(token);
  }
  connect(ear: Ear): void {
    this.ear = ear;
  }
  close(): Promise<void> {
    this.closed = true;
    this.tell(...this.claims.map(({ token }) => ({ token, as: "released", alone: false }) as const));
    return Promise.resolve();
  }
  tell(...outcomes: Outcome[]): void {
    for (const { token } of outcomes) {
      const at = this.claims.findIndex((claim) => claim.token === token);
      if (at >= 0) this.claims.splice(at, 1);
    }
    this.ear.outcomes(outcomes);
  }
  succeed(id: string, result = "1"): Token {
    const { token } = this.claim(id);
    this.tell({ token, as: "succeeded", result });
    return token;
  }
  fail(id: string, failure: Partial<Failure> = {}): void {
    const full = { code: "handler_error", message: "m", retryable: true, ...failure };
    this.tell({ token: this.claim(id).token, as: "failed", failure: full });
  }
  claim(id: string): Claim {
    return this.claims.find(({ task }) => task.id === id)!;
  }
  #of(token: Token): Claim | undefined {
    return this.claims.find((claim) => claim.token === token);
  }
}
