import type { OutputInfo, Sharp, SharpOptions } from "sharp";
import { TaskFailure } from "../failure.ts";
import { PIXELS_MAX, SIDE_MAX } from "./recipe.ts";
import type { Sharpener } from "./sharpener.ts";

/** Seconds of one operation. */
const OPERATION_MAX = 30;

export interface Source {
  readonly format: string;
  /** As it is to be seen. */
  readonly width: number;
  readonly height: number;
  /** More than one where it is animated. */
  readonly pages: number;
}

/** The formats that are read, by how they begin. What a file is called, or said to be, counts for nothing. */
const FORMATS: readonly (readonly [name: string, begins: RegExp])[] = [
  ["jpeg", /^\xff\xd8\xff/],
  // deno-lint-ignore no-control-regex -- these are bytes
  ["png", /^\x89PNG\r\n\x1a\n/],
  ["gif", /^GIF8[79]a/],
  ["webp", /^RIFF[^]{4}WEBP/],
  ["avif", /^[^]{4}ftyp(?:avif|avis|mif1)/],
];

/**
 * An image on its way through the operations: its pixels, decoded. Only so do operations happen in the order in which
 * they are asked for, and outputs without each reading the image again.
 */
export class Canvas {
  private constructor(
    readonly sharp: Sharpener,
    readonly bytes: Uint8Array<ArrayBuffer>,
    readonly options: SharpOptions,
    readonly width: number,
    readonly height: number,
  ) {}

  /**
   * Reads an image of whatever origin, turned as its EXIF orientation says, its first frame alone.
   *
   * @param most pixels
   * @throws {TaskFailure} `unsupported_format`, `invalid_input`
   */
  static async read(
    sharp: Sharpener,
    bytes: Uint8Array<ArrayBuffer>,
    keepMetadata: boolean,
    most = PIXELS_MAX,
  ): Promise<{ canvas: Canvas; source: Source }> {
    const start = String.fromCharCode(...bytes.subarray(0, 16));
    const format = FORMATS.find(([, begins]) => begins.test(start))?.[0];
    if (format === undefined) throw unsupported();
    const options: SharpOptions = { limitInputPixels: most, failOn: "error", autoOrient: true };
    try {
      const { pages = 1, width, height } = await sharp(bytes, options).metadata();
      // Before anything is decoded.
      if (width * height > most) {
        throw new TaskFailure("invalid_input", `It has ${width} × ${height} pixels; ${most} are allowed.`);
      }
      const image = sharp(bytes, options).timeout({ seconds: OPERATION_MAX });
      const canvas = await Canvas.#of(sharp, image, keepMetadata);
      return { canvas, source: { format, width: canvas.width, height: canvas.height, pages } };
    } catch (error) {
      throw flawOf(error);
    }
  }

  /** A picture of our own making. */
  static async drawn(sharp: Sharpener, bytes: Uint8Array): Promise<Canvas> {
    return await Canvas.#of(sharp, sharp(bytes, { limitInputPixels: PIXELS_MAX }), false);
  }

  /** A pipeline that begins with its pixels. */
  get image(): Sharp {
    return this.sharp(this.bytes, this.options).timeout({ seconds: OPERATION_MAX });
  }

  get hasMetadata(): boolean {
    return this.options.raw === undefined;
  }

  /** What becomes of it. It is used up: its pixels take so much memory that they cannot wait to be collected. */
  async after(change: (image: Sharp) => Sharp): Promise<Canvas> {
    const after = await Canvas.#of(this.sharp, change(this.image), this.hasMetadata);
    this.bytes.buffer.transfer(0);
    return after;
  }

  /** Pixels as they are; or, where there is more to keep than pixels, as a PNG that is not compressed. */
  static async #of(sharp: Sharpener, image: Sharp, keepMetadata: boolean): Promise<Canvas> {
    const { data, info: { width, height, channels } } = await finish(
      keepMetadata ? image.keepMetadata().png({ compressionLevel: 0 }) : image.raw(),
    );
    const raw = keepMetadata ? undefined : { width, height, channels };
    return new Canvas(sharp, data, { raw, limitInputPixels: PIXELS_MAX }, width, height);
  }
}

/**
 * What a pipeline makes.
 *
 * @throws {TaskFailure} `timeout`
 */
export async function finish(image: Sharp): Promise<{ data: Uint8Array<ArrayBuffer>; info: OutputInfo }> {
  try {
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    return { data: new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.length), info };
  } catch (cause) {
    if (!/^timeout:/.test((cause as Error)?.message)) throw cause;
    const message = `One operation took more than ${OPERATION_MAX} s.`;
    throw new TaskFailure("timeout", message, { retryable: true, cause });
  }
}

/**
 * Whether there can be an image of such a size.
 *
 * @throws {TaskFailure} `invalid_input`
 */
export function bounded(width: number, height: number, where: string): void {
  if (width <= SIDE_MAX && height <= SIDE_MAX && width * height <= PIXELS_MAX) return;
  const size = `${Math.round(width)} × ${Math.round(height)} pixels`;
  throw new TaskFailure(
    "invalid_input",
    `${where} would make it ${size}; ${SIDE_MAX} a side, and ${PIXELS_MAX} in all, are allowed.`,
  );
}

function unsupported(cause?: unknown): TaskFailure {
  return new TaskFailure("unsupported_format", "It must be a JPEG, PNG, WebP, AVIF or GIF.", { cause });
}

function flawOf(error: unknown): unknown {
  if (error instanceof TaskFailure) return error;
  const { message } = error as Error;
  if (/pixel limit|too large/i.test(message)) {
    return new TaskFailure("invalid_input", "It has too many pixels.", { cause: error });
  }
  if (/unsupported image format/.test(message)) return unsupported(error);
  return new TaskFailure("invalid_input", "The image is broken or incomplete.", { cause: error });
}
