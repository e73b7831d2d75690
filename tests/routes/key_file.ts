/** A key file of one's own, made by the real commands, with the ring that reads it. */
import { keys } from "../../keys.ts";
import { KeyRing, type KeyRingOptions } from "../../routes/keys/ring.ts";

export class KeyFile implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "errand-keys-" });
  readonly path = `${this.folder}/keys.json`;
  #rings: KeyRing[] = [];

  /** What `deno task keys` prints. */
  run(...args: string[]): string {
    const lines: string[] = [];
    keys(args, { path: this.path, now: Date.now(), print: (line) => lines.push(line), note() {} });
    return lines.join("\n");
  }

  /** A new key. */
  add(owner: string, ...more: string[]): string {
    return this.run("add", "--owner", owner, ...more);
  }

  /** By its key, to be revoked. */
  revoke(key: string): void {
    this.run("revoke", key.split("_")[1]!);
  }

  ring(options: Partial<KeyRingOptions> = {}): KeyRing {
    const ring = new KeyRing({ path: this.path, now: Date.now, log() {}, ...options });
    this.#rings.push(ring);
    return ring;
  }

  [Symbol.dispose](): void {
    for (const ring of this.#rings) ring.close();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

export const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
