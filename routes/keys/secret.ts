/** What a key looks like: `errand_<id>_<secret>`. The id finds it and is no secret; the other 256 bits are. */
import type { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";

const FORM = /^errand_([0-9a-f]{12})_[0-9a-f]{64}$/;

/** A new key. */
export function mint(): { id: string; key: string } {
  const id = randomBytes(6).toString("hex");
  return { id, key: `errand_${id}_${randomBytes(32).toString("hex")}` };
}

/** The id of a key; `undefined` where the text has not the form of one. */
export function idOf(key: string): string | undefined {
  return FORM.exec(key)?.[1];
}

/** SHA-256, which is enough: so many random bits cannot be guessed, however fast one tries. */
export function hashOf(key: string): Buffer {
  return createHash("sha256").update(key).digest();
}
