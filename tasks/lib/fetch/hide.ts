import { Buffer } from "node:buffer";

const HIDDEN = "[redacted]";
/** What is shorter is found everywhere. */
const SHORTEST = 4;

/** Takes the secrets that a request was made with out of its answer: some servers say what they were told. */
export class Hide {
  readonly #secrets: readonly string[];

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets.filter(({ length }) => length >= SHORTEST).sort((a, b) => b.length - a.length);
  }

  readonly text = (text: string): string =>
    this.#secrets.reduce((text, secret) => text.replaceAll(secret, HIDDEN), text);

  /** However it was escaped: written once more, every value has one form, and so has the secret. */
  json(value: unknown): unknown {
    if (this.#secrets.length === 0 || value === undefined) return value;
    const escaped = this.#secrets.map((secret) => JSON.stringify(secret).slice(1, -1));
    return JSON.parse(new Hide(escaped).text(JSON.stringify(value)));
  }

  /** In pieces of any size; the length stays. */
  async *bytes(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    if (this.#secrets.length === 0) return yield* pieces;
    // Bytes as Latin-1: headers, where the secrets were, are that, too.
    const hide = (text: string) =>
      this.#secrets.reduce((text, secret) => text.replaceAll(secret, "*".repeat(secret.length)), text);
    const kept = this.#secrets[0]!.length - 1;
    let rest = "";
    for await (const piece of pieces) {
      const text = hide(rest + Buffer.from(piece).toString("latin1"));
      rest = text.slice(Math.max(0, text.length - kept));
      if (text.length > rest.length) yield Buffer.from(text.slice(0, text.length - rest.length), "latin1");
    }
    if (rest) yield Buffer.from(rest, "latin1");
  }
}
