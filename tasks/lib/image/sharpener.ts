import process from "node:process";
import type sharp from "sharp";

export type Sharpener = typeof sharp;

/** What reads an image from memory, and from memory alone. libvips has dozens more, for files and for formats. */
const LOADERS = ["Jpeg", "Png", "Webp", "Heif", "Nsgif"].map((format) => `VipsForeignLoad${format}Buffer`);
const SVG = { operation: ["VipsForeignLoadSvgBuffer"] };

/**
 * Loads sharp, and blocks whatever of it could reach beyond the bytes that it is handed: native code is not bound by the
 * permissions of its type.
 *
 * @throws where there is no native part for this machine
 */
export async function loadSharp(): Promise<Sharpener> {
  // It asks which C library there is by a report of the whole machine, network and all; Deno for Linux has but one.
  const report = { header: { glibcVersionRuntime: "2" } };
  if (Deno.build.os === "linux") process.report.getReport = () => report as never;
  const { default: sharp } = await import("sharp").catch((cause) => {
    const [why] = String(cause.message).split("\n");
    const { os, arch } = Deno.build;
    throw new TypeError(`Images cannot be processed on this machine (${os}, ${arch}): ${why}`, { cause });
  });
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: LOADERS });
  // What one image leaves behind is of no use to the next.
  sharp.cache(false);
  return sharp;
}

/** SVG is read while this lasts: of our own making, and never what anybody has sent. */
export async function withSvg<T>(sharp: Sharpener, draw: () => Promise<T>): Promise<T> {
  sharp.unblock(SVG);
  try {
    return await draw();
  } finally {
    sharp.block(SVG);
  }
}
