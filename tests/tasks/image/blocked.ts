/** A program of its own, as blocking is for a whole process: says which of these images could be read. */
import sharp from "sharp";
import { loadSharp, withSvg } from "../../../tasks/lib/image/sharpener.ts";

const svg = new TextEncoder().encode(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>`);
const formats = ["png", "jpeg", "webp", "avif", "gif", "tiff"] as const;
const made = await Promise.all(formats.map((format) => sharp(svg).toFormat(format).toBuffer()));
const path = await Deno.makeTempFile({ suffix: ".png" });
await Deno.writeFile(path, made[0]!);

const guarded = await loadSharp();
const read = (input: string | Uint8Array) => guarded(input).metadata().then(() => true, () => false);
console.log(JSON.stringify({
  ...Object.fromEntries(await Promise.all(formats.map(async (format, i) => [format, await read(made[i]!)]))),
  path: await read(path),
  svg: await read(svg),
  svgOfOurs: await withSvg(guarded, () => read(svg)),
  svgAfterwards: await read(svg),
}));
await Deno.remove(path);
