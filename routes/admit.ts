/** Who is asking, and whether they may. Each route asks by itself: nothing stands in front of those without keys. */
import type { Webhook } from "../queue/task.ts";
import type { Key, KeyRing } from "./keys/ring.ts";
import { granted, type Scope, SCOPES } from "./keys/scopes.ts";
import { Problem } from "./problem.ts";
import { type Bucket, rateLimited } from "./rate.ts";

export interface Caller {
  /** Whose tasks it sees; `""` while there are no keys. */
  readonly owner: string;
  readonly scopes: ReadonlySet<Scope>;
  /** `""` while there are no keys. */
  readonly keyId: string;
  /**
   * Aborts within a second after the key was revoked, changed or has expired: what is open then must end. Absent
   * while there are no keys.
   */
  readonly signal?: AbortSignal;
  /** Of its tasks that name none. */
  readonly webhook?: Webhook;
}

/**
 * The caller of a request. It counts as one request of its rate.
 *
 * @param scope what it must be allowed to do; any key will do where it is left out
 * @throws {Problem} `unauthenticated`, `rate-limited`, `forbidden`
 */
export interface Admit {
  (request: Request, scope?: Scope): Caller;
  /** Tells the caller of an admitted request what is left of its rate. Absent where nobody has one. */
  readonly stamp?: (request: Request, answer: Response) => void;
}

const ANYBODY: Caller = Object.freeze({ owner: "", scopes: granted(SCOPES), keyId: "" });

/** While there are no keys: everybody is the same caller and may do everything. */
export const anonymous: Admit = () => ANYBODY;

/** RFC 6750, 2.1; the name of a scheme is case-insensitive (RFC 9110, 11.1). */
const BEARER = /^Bearer +([\x21-\x7e]+)$/i;
const CHALLENGE = { headers: { "www-authenticate": "Bearer" } };

/** @param now milliseconds since the epoch */
export function createAdmit(ring: KeyRing, now: () => number): Admit {
  /** What is left to whoever sent them, until they are answered. */
  const spent = new WeakMap<Request, Bucket>();

  const admit = (request: Request, scope?: Scope): Caller => {
    const key = authenticate(ring, request, now());
    charge(request, key);
    if (scope === undefined || key.scopes.has(scope)) return key;
    throw new Problem("forbidden", `The key lacks the scope ${scope}.`);
  };

  function charge(request: Request, { bucket }: Key): void {
    if (bucket === undefined) return;
    spent.set(request, bucket);
    if (!bucket.take(now())) throw rateLimited("The key has used up its rate.", bucket.wait);
  }

  const stamp = (request: Request, answer: Response) => {
    for (const [name, value] of spent.get(request)?.headers ?? []) answer.headers.set(name, value);
  };

  return Object.assign(admit, { stamp });
}

/**
 * To be asked again before anything comes of a request that was long under way: its key may have ended meanwhile.
 *
 * @throws {Problem} `unauthenticated`, as for a request that comes without a key
 */
export function stillAdmitted({ signal }: Caller, headers?: Readonly<Record<string, string>>): void {
  if (!signal?.aborted) return;
  throw new Problem("unauthenticated", "The key has been revoked.", {
    headers: { ...CHALLENGE.headers, ...headers },
  });
}

function authenticate(ring: KeyRing, request: Request, now: number): Key {
  const header = request.headers.get("authorization");
  if (header === null) {
    throw new Problem("unauthenticated", "Send a key as Authorization: Bearer errand_….", CHALLENGE);
  }
  const key = ring.find(BEARER.exec(header)?.[1] ?? "");
  if (key === undefined) throw new Problem("unauthenticated", "The key is not a valid one.", CHALLENGE);
  if (key.expiresAt <= now) throw new Problem("unauthenticated", "The key has expired.", CHALLENGE);
  return key;
}
