/**
 * The images of reports. Pixels of a PNG are unpacked where it has transparency, and those of a JPEG never: it is part
 * of the PDF as it is. So both are looked at before anything else is, by what their headers promise.
 */
import { inflateSync } from "node:zlib";
import { TaskFailure } from "../failure.ts";

/** Of all images of a report. */
export const PICTURE_BYTES_MAX = 50 * 2 ** 20;
const PNG_PIXELS_MAX = 16_000_000;
const JPEG_PIXELS_MAX = 100_000_000;

export interface Picture {
  readonly type: "image/png" | "image/jpeg";
  /** Pixels, as they are stored. */
  readonly width: number;
  readonly height: number;
}

/**
 * What a file is, whatever its giver calls it.
 *
 * @throws {TaskFailure} `unsupported_format` where it is neither PNG nor JPEG, or of a kind that PDFs do not have;
 * `invalid_input` where it is broken or too large
 */
export function inspect(bytes: Uint8Array<ArrayBuffer>): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (view.getUint32(0) === 0x89504e47 && view.getUint32(4) === 0x0d0a1a0a) return png(view);
    if (view.getUint16(0) === 0xffd8) return jpeg(view);
  } catch (error) {
    if (error instanceof TaskFailure) throw error;
    throw new TaskFailure("invalid_input", "An image is broken or incomplete.", { cause: error });
  }
  throw new TaskFailure("unsupported_format", "An image must be a PNG or a JPEG.");
}

/** W3C PNG (third edition), sections 5 and 11. */
function png(view: DataView<ArrayBuffer>): Picture {
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [bits, color, interlace] = [view.getUint8(24), view.getUint8(25), view.getUint8(28)];
  const channels = ({ 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as Record<number, number>)[color];
  if (channels === undefined || width === 0 || height === 0) throw new RangeError("Not a PNG header.");
  bounded(width, height, PNG_PIXELS_MAX);
  const data: Uint8Array[] = [];
  for (let at = 8; at < view.byteLength;) {
    const [length, type] = [view.getUint32(at), view.getUint32(at + 4)];
    if (type === 0x49444154 /* IDAT */) {
      data.push(new Uint8Array(view.buffer, view.byteOffset + at + 8, length));
    }
    at += 12 + length;
    if (type === 0x49454e44 /* IEND */) break;
    if (at > view.byteLength) throw new RangeError("A chunk is longer than the file.");
  }
  // Interlaced, there are seven small images, each with lines of its own.
  const line = Math.ceil(width * bits * channels / 8) + 1;
  const most = line * height + (interlace === 0 ? 0 : 8 * (width + height + 8));
  // What promises few pixels and holds many more ends here.
  const { length } = inflateSync(new Uint8Array(concat(data)), { maxOutputLength: most });
  if (length < (interlace === 0 ? most : line)) throw new RangeError("Pixels are missing.");
  return { type: "image/png", width, height };
}

/** ITU-T T.81, annex B. */
function jpeg(view: DataView): Picture {
  for (let at = 2;;) {
    const marker = view.getUint16(at);
    if (marker === 0xffff) {
      at++;
      continue;
    }
    if (marker >> 8 !== 0xff) throw new RangeError("No marker where there must be one.");
    // A start of frame: baseline, extended and progressive are what PDF has (ISO 32000-1, 7.4.8).
    if (marker >= 0xffc0 && marker <= 0xffc2) {
      const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      if (width === 0 || height === 0) throw new RangeError("Without pixels.");
      bounded(width, height, JPEG_PIXELS_MAX);
      return { type: "image/jpeg", width, height };
    }
    const other = marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (marker >= 0xffc3 && other) {
      throw new TaskFailure("unsupported_format", "A JPEG of this kind cannot be part of a PDF.");
    }
    at += 2 + view.getUint16(at + 2);
  }
}

function bounded(width: number, height: number, most: number): void {
  if (width * height <= most) return;
  throw new TaskFailure("invalid_input", `An image has ${width} × ${height} pixels; ${most} are allowed.`);
}

function concat(parts: readonly Uint8Array[]): ArrayBuffer {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.buffer;
}
