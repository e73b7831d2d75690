import { Buffer } from "node:buffer";
import type { Fonts } from "../fonts.ts";
import { Canvas } from "./canvas.ts";
import type { Watermark } from "./recipe.ts";
import { type Sharpener, withSvg } from "./sharpener.ts";

/** Pixels of an image that becomes a watermark. */
const MARK_PIXELS_MAX = 16_000_000;
/** Between a watermark and the edge, as a part of the shorter side. */
const GAP = 0.02;
/** Of the em: what is above the base line, and below it. */
const ABOVE = 1.069;
const BELOW = 0.293;

/** Draws texts, and images, on others. */
export class Watermarks {
  #fonts: Promise<Fonts> | undefined;

  /** @param open answers the bytes of a file */
  constructor(readonly sharp: Sharpener, readonly open: (file: string) => Promise<Uint8Array<ArrayBuffer>>) {}

  async onto(canvas: Canvas, { text, file, position, size, opacity, color }: Watermark): Promise<Canvas> {
    const width = Math.max(1, Math.round(canvas.width * size));
    const box = { width, height: canvas.height, fit: "inside" as const };
    const mark = text !== undefined ? await this.#text(text, color, width) : await this.#image(file!);
    const faded = await mark.after((image) =>
      image.resize(box).ensureAlpha().composite([{
        input: Buffer.of(0, 0, 0, Math.round(opacity * 255)),
        raw: { width: 1, height: 1, channels: 4 },
        tile: true,
        blend: "dest-in",
      }])
    );
    const gap = Math.round(Math.min(canvas.width, canvas.height) * GAP);
    const place = (free: number, near: boolean, far: boolean) =>
      Math.max(0, near ? Math.min(gap, free) : far ? free - gap : Math.round(free / 2));
    const left = place(canvas.width - faded.width, /left/.test(position), /right/.test(position));
    const top = place(canvas.height - faded.height, /top/.test(position), /bottom/.test(position));
    const input = Buffer.from(faded.bytes.buffer, faded.bytes.byteOffset, faded.bytes.length);
    return await canvas.after((image) =>
      image.toColourspace("srgb").composite([{ input, raw: faded.options.raw, left, top }])
    );
  }

  async #image(file: string): Promise<Canvas> {
    return (await Canvas.read(this.sharp, await this.open(file), false, MARK_PIXELS_MAX)).canvas;
  }

  /** Outlines of letters, in the fonts that come with Errand: what the machine has is not asked. */
  async #text(text: string, color: string, width: number): Promise<Canvas> {
    this.#fonts ??= import("../fonts.ts").then(async ({ Fonts, loadFonts }) =>
      new Fonts((await loadFonts()).outlines)
    );
    const { path, width: em } = (await this.#fonts).outline(text);
    const height = Math.max(1, Math.round(width / em * (ABOVE + BELOW)));
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
      `viewBox="0 ${-ABOVE} ${em} ${ABOVE + BELOW}"><path fill="${color}" d="${path}"/></svg>`;
    return await withSvg(this.sharp, () => Canvas.drawn(this.sharp, new TextEncoder().encode(svg)));
  }
}
