import { bounded, type Canvas, finish } from "./canvas.ts";
import type { Operation, Output, Resize } from "./recipe.ts";
import { TaskFailure } from "../failure.ts";
import type { Watermarks } from "./watermark.ts";

/** Qualities that look alike. */
const QUALITY = { jpeg: 80, webp: 80, avif: 50 };

/** Each takes 40 bytes while it is written. */
const AVIF_PIXELS_MAX = 16_000_000;

/**
 * Does one operation.
 *
 * @param where it is in the input, for whoever reads that it cannot be done
 * @throws {TaskFailure} `invalid_input`
 */
export async function operate(
  canvas: Canvas,
  operation: Operation,
  watermarks: Watermarks,
  where: string,
): Promise<Canvas> {
  const { resize, crop, rotate, flip, blur, sharpen, grayscale, tint, watermark } = operation;
  const { width, height } = canvas;
  if (resize) {
    const size = sizeOf(resize, canvas);
    bounded(size.width, size.height, where);
    const { enlarge, ...options } = resize;
    return await canvas.after((image) => image.resize({ ...options, withoutEnlargement: !enlarge }));
  }
  if (crop) {
    if (crop.left + crop.width > width || crop.top + crop.height > height) {
      throw new TaskFailure(
        "invalid_input",
        `${where} is not within the image, which is ${width} × ${height} then.`,
      );
    }
    return await canvas.after((image) => image.extract(crop));
  }
  if (rotate !== undefined) {
    const turn = rotate * Math.PI / 180;
    const [sin, cos] = [Math.abs(Math.sin(turn)), Math.abs(Math.cos(turn))];
    bounded(width * cos + height * sin, width * sin + height * cos, where);
    const transparent = { r: 0, g: 0, b: 0, alpha: 0 };
    return await canvas.after((image) =>
      rotate % 90 === 0
        ? image.rotate(rotate)
        : image.ensureAlpha().rotate(rotate, { background: transparent })
    );
  }
  if (flip) return await canvas.after((image) => flip === "vertical" ? image.flip() : image.flop());
  if (blur !== undefined) return await canvas.after((image) => image.blur(blur));
  if (sharpen !== undefined) return await canvas.after((image) => image.sharpen({ sigma: sharpen }));
  if (grayscale) return await canvas.after((image) => image.grayscale());
  if (tint) return await canvas.after((image) => image.tint(tint));
  if (watermark) return await watermarks.onto(canvas, watermark);
  return canvas;
}

/** Of what a resize leads to, at most. */
function sizeOf({ width, height, fit, enlarge }: Resize, from: { width: number; height: number }) {
  const [x, y] = [(width ?? Infinity) / from.width, (height ?? Infinity) / from.height];
  const exact = width !== undefined && height !== undefined && fit !== "inside" && fit !== "outside";
  if (exact) return { width, height };
  const both = width !== undefined && height !== undefined;
  const scale = both && fit === "outside" ? Math.max(x, y) : Math.min(x, y);
  const by = enlarge ? scale : Math.min(scale, 1);
  return { width: from.width * by, height: from.height * by };
}

/**
 * @param where it is in the input, for whoever reads that it cannot be done
 * @throws {TaskFailure} `invalid_input`, `timeout`
 */
export async function encode(
  canvas: Canvas,
  { format, quality, width, height, background }: Output,
  where: string,
): Promise<{ data: Uint8Array<ArrayBuffer>; width: number; height: number }> {
  const { image } = canvas;
  const scale = Math.min(1, (width ?? Infinity) / canvas.width, (height ?? Infinity) / canvas.height);
  if (format === "avif" && scale * scale * canvas.width * canvas.height > AVIF_PIXELS_MAX) {
    const message =
      `${where} would have more than ${AVIF_PIXELS_MAX} pixels, too many for AVIF: give it a width.`;
    throw new TaskFailure("invalid_input", message);
  }
  if (width !== undefined || height !== undefined) {
    image.resize({ width, height, fit: "inside", withoutEnlargement: true });
  }
  if (format === "jpeg") {
    image.flatten({ background }).jpeg({ quality: quality ?? QUALITY.jpeg, progressive: true });
  } else if (format === "png") image.png();
  else if (format === "webp") image.webp({ quality: quality ?? QUALITY.webp });
  else image.avif({ quality: quality ?? QUALITY.avif });
  if (canvas.hasMetadata) image.keepMetadata();
  const { data, info } = await finish(image);
  return { data, width: info.width, height: info.height };
}
