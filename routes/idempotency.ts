import { createHash } from "node:crypto";
import type { Enqueued, Idempotency as Use, Store } from "../queue/store.ts";
import { Problem } from "./problem.ts";

/** Visible ASCII, bare or as a string of RFC 8941, 3.3.3, in which `"` and `\` are escaped. */
const BARE = /^[\x21\x23-\x5b\x5d-\x7e]{1,255}$/;
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
const VISIBLE = /^[\x21-\x7e]{1,255}$/;

/**
 * The key of an `Idempotency-Key` header, quoted or bare: the draft has it quoted, and many clients send it bare.
 *
 * @throws {Problem} `invalid-idempotency-key`
 */
export function idempotencyKey(header: string): string {
  const quoted = QUOTED.exec(header)?.[1]?.replace(/\\(.)/g, "$1");
  const key = quoted ?? (BARE.test(header) ? header : "");
  if (VISIBLE.test(key)) return key;
  throw new Problem(
    "invalid-idempotency-key",
    "Idempotency-Key must be 1 to 255 visible characters of ASCII.",
  );
}

/** Makes repeats of a request harmless (draft-ietf-httpapi-idempotency-key-header). */
export class Idempotency {
  /** Keys of requests that are being carried out, each behind its owner. */
  readonly #busy = new Set<string>();

  /** @param kept milliseconds for which a key is remembered */
  constructor(
    readonly store: Pick<Store, "replay">,
    readonly kept: number,
    readonly now: () => number,
  ) {}

  /**
   * Carries a request out under its key, and alone. A repeat is answered as it is, without being checked again: files
   * that it names, or its type, may have gone since.
   *
   * @param body as it was sent: another one under the same key is refused
   * @throws {Problem}
   */
  async once(
    header: string,
    owner: string,
    body: string,
    submit: (idempotency: Use) => Promise<Enqueued[]>,
  ): Promise<Enqueued[]> {
    const key = idempotencyKey(header);
    const busy = `${owner}\n${key}`;
    if (this.#busy.has(busy)) {
      throw new Problem("idempotency-in-progress", undefined, { headers: { "retry-after": "1" } });
    }
    this.#busy.add(busy);
    try {
      const fingerprint = createHash("sha256").update(body).digest("base64url");
      const use = { key, fingerprint, until: this.now() + this.kept };
      return await this.store.replay(owner, use) ?? await submit(use);
    } finally {
      this.#busy.delete(busy);
    }
  }
}
