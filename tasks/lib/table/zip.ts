import { inflateRawSync } from "node:zlib";
import { TaskFailure } from "../failure.ts";

const END = 0x06054b50;
const END_LENGTH = 22;
const ENTRY = 0x02014b50;
const ENTRY_LENGTH = 46;
const HEADER = 0x04034b50;
const HEADER_LENGTH = 30;
const STORED = 0;
const DEFLATED = 8;

export interface ZipLimits {
  readonly entries: number;
  /** Bytes of all of them, inflated. */
  readonly bytes: number;
}

const broken = (cause?: unknown) =>
  new TaskFailure("invalid_input", "The file is no whole zip archive.", { cause });

/**
 * What is in a zip archive (APPNOTE 6.3), by name. What it says of sizes is not believed: nothing is inflated past the
 * limit.
 *
 * @throws {TaskFailure} `invalid_input`
 */
export function unzipped(bytes: Uint8Array, limits: ZipLimits): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return entriesOf(bytes, view, limits);
  } catch (error) {
    // What is read past the end is a RangeError.
    throw error instanceof TaskFailure ? error : broken(error);
  }
}

function entriesOf(bytes: Uint8Array, view: DataView, limits: ZipLimits): Map<string, Uint8Array> {
  const end = endOf(view);
  const count = view.getUint16(end + 10, true);
  if (count > limits.entries) throw tooLarge(`${limits.entries} entries`);
  const found = new Map<string, Uint8Array>();
  let left = limits.bytes;
  for (let i = 0, at = view.getUint32(end + 16, true); i < count; i++) {
    if (view.getUint32(at, true) !== ENTRY) throw broken();
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 20, true);
    const [name, extra, comment] = [28, 30, 32].map((each) => view.getUint16(at + each, true)) as [
      number,
      number,
      number,
    ];
    const header = view.getUint32(at + 42, true);
    const begin = header + HEADER_LENGTH + view.getUint16(header + 26, true) +
      view.getUint16(header + 28, true);
    if (view.getUint32(header, true) !== HEADER || begin + size > bytes.length) throw broken();
    const content = inflated(bytes.subarray(begin, begin + size), method, left, limits.bytes);
    left -= content.length;
    found.set(new TextDecoder().decode(bytes.subarray(at + ENTRY_LENGTH, at + ENTRY_LENGTH + name)), content);
    at += ENTRY_LENGTH + name + extra + comment;
  }
  return found;
}

/** The last of it, in front of a comment. */
function endOf(view: DataView): number {
  for (
    let at = view.byteLength - END_LENGTH;
    at >= Math.max(0, view.byteLength - END_LENGTH - 0xffff);
    at--
  ) {
    if (view.getUint32(at, true) === END) return at;
  }
  throw broken();
}

function inflated(bytes: Uint8Array, method: number, left: number, most: number): Uint8Array {
  if (method !== STORED && method !== DEFLATED) throw broken();
  if (method === STORED && bytes.length <= left) return bytes;
  try {
    // 0 would stand for no limit.
    if (method === DEFLATED) return inflateRawSync(bytes, { maxOutputLength: Math.max(1, left) });
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_BUFFER_TOO_LARGE") throw error;
  }
  throw tooLarge(`${most} bytes`);
}

function tooLarge(most: string): TaskFailure {
  return new TaskFailure("invalid_input", `Unpacked, the file has more than ${most}.`);
}
