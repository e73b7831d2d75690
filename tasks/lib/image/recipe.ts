/** What is to be done with an image: the input of `process-image`. */
import { z } from "zod";
import { target } from "../egress/target.ts";

/** Of any image on the way: 50 megapixels take 200 MB. */
export const PIXELS_MAX = 50_000_000;
/** What all formats can hold. */
export const SIDE_MAX = 16_383;

const side = z.int().min(1).max(SIDE_MAX);
const color = z.string().regex(
  /^#(?:[0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i,
  "must be a colour such as #ffffff or #00000080",
);

const resize = z.strictObject({
  width: side.optional(),
  height: side.optional(),
  /** As in CSS `object-fit`, and `outside`: as small as possible, and no side smaller. */
  fit: z.enum(["cover", "contain", "fill", "inside", "outside"]).default("inside"),
  /** Of what `contain` adds. */
  background: color.default("#00000000"),
  /** Whether a small image is made larger. */
  enlarge: z.boolean().default(false),
}).refine(
  ({ width, height }) => width !== undefined || height !== undefined,
  "must have a width or a height",
);

const watermark = z.strictObject({
  text: z.string().min(1).max(200).regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, "must be one line of text").optional(),
  /** An image. */
  file: z.uuid().optional(),
  position: z.enum([
    "center",
    "top",
    "bottom",
    "left",
    "right",
    "top-left",
    "top-right",
    "bottom-left",
    "bottom-right",
  ]).default("bottom-right"),
  /** Its width, as a part of the image's. */
  size: z.number().min(0.01).max(1).default(0.3),
  opacity: z.number().min(0).max(1).default(0.5),
  /** Of a text. */
  color: color.default("#ffffff"),
}).refine(({ text, file }) => (text === undefined) !== (file === undefined), "must have a text or a file");

const operation = z.strictObject({
  resize,
  crop: z.strictObject({ left: z.int().min(0), top: z.int().min(0), width: side, height: side }),
  /** Degrees, clockwise. What is added at the corners is transparent. */
  rotate: z.number().min(-360).max(360),
  /** `horizontal` swaps left and right. */
  flip: z.enum(["horizontal", "vertical"]),
  /** Standard deviation, in pixels. */
  blur: z.number().min(0.3).max(100),
  /** Standard deviation, in pixels. */
  sharpen: z.number().min(0.3).max(10),
  grayscale: z.literal(true),
  tint: color,
  watermark,
}).partial().refine(
  (operation) => Object.keys(operation).length === 1,
  "must be one operation, such as {grayscale: true}",
);

const output = z.strictObject({
  format: z.enum(["jpeg", "png", "webp", "avif"]),
  /** 80; of AVIF 50. */
  quality: z.int().min(1).max(100).optional(),
  /** No wider, and never wider than it was. */
  width: side.optional(),
  height: side.optional(),
  /** Where the format has no transparency. */
  background: color.default("#ffffff"),
}).refine(({ format, quality }) => format !== "png" || quality === undefined, {
  path: ["quality"],
  error: "is not for png, which keeps every pixel",
});

export const recipe = z.strictObject({
  file: z.uuid().optional(),
  url: target.optional(),
  /** One after the other. */
  operations: z.array(operation).max(20).default([]),
  /** Of all of them, the image is read once. */
  outputs: z.array(output).min(1).max(20),
  /** EXIF (with the place, where a camera noted it), XMP and colour profile; otherwise the outputs have none. */
  keepMetadata: z.boolean().default(false),
}).refine(({ file, url }) => (file === undefined) !== (url === undefined), "must have a file or a url");

export type Operation = z.output<typeof operation>;
export type Output = z.output<typeof output>;
export type Resize = z.output<typeof resize>;
export type Watermark = z.output<typeof watermark>;
