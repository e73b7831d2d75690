import { TaskFailure } from "../failure.ts";

/** The longest byte order mark. */
const MARK = 3;

/** Whether there is such an encoding: WHATWG Encoding, section 4.2. */
export function isEncoding(label: string): boolean {
  try {
    return new TextDecoder(label).encoding !== "replacement";
  } catch {
    return false;
  }
}

/**
 * Bytes as text, without the byte order mark, which counts for more than `encoding` does.
 *
 * @param encoding UTF-8 unless said
 * @throws {TaskFailure} `invalid_input` where they are something else
 */
export async function* textOf(
  bytes: AsyncIterable<Uint8Array>,
  encoding = "utf-8",
): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  let head: Uint8Array = new Uint8Array();
  for await (const chunk of bytes) {
    let piece = chunk;
    if (!decoder) {
      head = piece = joined(head, chunk);
      if (head.length < MARK) continue;
      decoder = decoderFor(head, encoding);
    }
    yield decoded(decoder, piece, true);
  }
  yield decoder ? decoded(decoder, undefined, false) : decoded(decoderFor(head, encoding), head, false);
}

function decoded(decoder: TextDecoder, bytes: Uint8Array | undefined, stream: boolean): string {
  try {
    return decoder.decode(bytes, { stream });
  } catch (cause) {
    const message =
      `The file is not what ${decoder.encoding} looks like: say its \`encoding\` or its format.`;
    throw new TaskFailure("invalid_input", message, { cause });
  }
}

function decoderFor([a, b, c]: Uint8Array, encoding: string): TextDecoder {
  const marked = a === 0xef && b === 0xbb && c === 0xbf
    ? "utf-8"
    : a === 0xff && b === 0xfe
    ? "utf-16le"
    : a === 0xfe && b === 0xff
    ? "utf-16be"
    : undefined;
  return new TextDecoder(marked ?? encoding, { fatal: true });
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
