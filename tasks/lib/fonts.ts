/**
 * The fonts of reports and watermarks. No font has all characters: a text is cut into runs, each in the first font that has what it
 * is made of. The fonts come with Errand, from npm, as bytes: nothing is read from the machine.
 */

/** What is asked of a font of fontkit. */
interface Outline {
  readonly unitsPerEm: number;
  hasGlyphForCodePoint(codePoint: number): boolean;
  layout(text: string): {
    readonly advanceWidth: number;
    readonly glyphs: readonly { readonly path: Path }[];
    readonly positions: readonly {
      readonly xAdvance: number;
      readonly xOffset: number;
      readonly yOffset: number;
    }[];
  };
}

interface Path {
  /** (a, b, c, d, e, f) as in SVG. */
  transform(...matrix: [number, number, number, number, number, number]): Path;
  /** Commands, as in the `d` of SVG. */
  toSVG(): string;
}

/** Latin, Greek, Cyrillic; Chinese, Japanese, and symbols; emoji. In this order. */
export const FAMILIES = ["Latin", "Han", "Emoji"] as const;
type Family = typeof FAMILIES[number];

export interface Run {
  readonly text: string;
  readonly font: Family;
}

/** All of it is in the first font. */
const PLAIN = /^[\n -~\u00a0-\u00ac\u00ae-\u024f–—‘’“”„…€]*$/;
/** Belong to the run that they are in: but a space among emoji would be as wide as one. */
const SPACES = /^\s+$/;
const EMOJI = /^\p{RGI_Emoji}$/v;
/** Not printed: control characters, halves of characters, and what only changes how others look. */
const UNPRINTED = /[\p{Cc}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** Widths that are remembered. */
const ADVANCES_MAX = 20_000;

export class Fonts {
  /** Characters that no font has, seen so far. */
  readonly missing = new Set<string>();
  readonly #advances = new Map<string, number>();

  constructor(readonly outlines: Readonly<Record<Family, Outline>>) {}

  /** What is to be printed of a text, cut into runs of one font each. */
  runs(text: string): Run[] {
    if (PLAIN.test(text)) return [{ text, font: "Latin" }];
    const runs: { text: string; font: Family }[] = [];
    const lines = text.replaceAll(/\r\n?|[\u2028\u2029]/g, "\n").replaceAll("\t", " ");
    for (const { segment } of graphemes.segment(lines)) {
      const emoji = EMOJI.test(segment);
      const part = emoji || segment === "\n" ? segment : segment.replaceAll(UNPRINTED, "");
      if (part === "") continue;
      const last = runs.at(-1);
      const font = emoji ? "Emoji" : last?.font === "Han" && SPACES.test(part) ? "Han" : this.#fontOf(part);
      if (last?.font === font) last.text += part;
      else runs.push({ text: part, font });
    }
    return runs;
  }

  /** Points; without kerning, so rather more than less. */
  width(text: string, size: number): number {
    let width = 0;
    for (const run of this.runs(text)) {
      if (run.font === "Emoji") width += this.#advance(run.text, run.font);
      else for (const character of run.text) width += this.#advance(character, run.font);
    }
    return width * size;
  }

  /** A text as one SVG path, in em: it begins at 0 on the base line, and goes up where y is negative. */
  outline(text: string): { path: string; width: number } {
    let x = 0;
    let path = "";
    for (const { text: part, font } of this.runs(text)) {
      const { unitsPerEm } = this.outlines[font];
      const { glyphs, positions } = this.outlines[font].layout(part);
      for (const [i, { path: glyph }] of glyphs.entries()) {
        const { xAdvance, xOffset, yOffset } = positions[i]!;
        const scale = 1 / unitsPerEm;
        path += glyph.transform(scale, 0, 0, -scale, x + xOffset * scale, -yOffset * scale).toSVG();
        x += xAdvance * scale;
      }
    }
    return { path, width: Math.max(x, 0.01) };
  }

  /** Of the em. */
  #advance(text: string, font: Family): number {
    const key = font + text;
    const known = this.#advances.get(key);
    if (known !== undefined) return known;
    const { unitsPerEm } = this.outlines[font];
    const advance = this.outlines[font].layout(text).advanceWidth / unitsPerEm;
    if (this.#advances.size < ADVANCES_MAX) this.#advances.set(key, advance);
    return advance;
  }

  #fontOf(grapheme: string): Family {
    const codePoints = [...grapheme].map((character) => character.codePointAt(0)!);
    const fits = (family: Family) =>
      codePoints.every((codePoint) => this.outlines[family].hasGlyphForCodePoint(codePoint));
    const family = FAMILIES.find(fits);
    if (family === undefined) this.missing.add(grapheme);
    return family ?? "Latin";
  }
}

/** What pdfmake is given: files by name, and which file is which font. */
export interface FontFiles {
  /** Each by its PostScript name: by that alone texts in SVG find a font that the document has opened. */
  readonly files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
  readonly fonts: Readonly<Record<Family, { normal: string; bold: string }>>;
}

/** Each import is written out: only so does Deno fetch the packages before they are asked for. */
export async function loadFonts(): Promise<FontFiles & { outlines: Fonts["outlines"] }> {
  const [{ create }, latin, latinBold, han, hanBold, emoji] = await Promise.all([
    import("fontkit"),
    import("@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf", { with: { type: "bytes" } }),
    import("@expo-google-fonts/noto-sans/700Bold/NotoSans_700Bold.ttf", { with: { type: "bytes" } }),
    import("@expo-google-fonts/noto-sans-sc/400Regular/NotoSansSC_400Regular.ttf", {
      with: { type: "bytes" },
    }),
    import("@expo-google-fonts/noto-sans-sc/700Bold/NotoSansSC_700Bold.ttf", { with: { type: "bytes" } }),
    import("@expo-google-fonts/noto-emoji/400Regular/NotoEmoji_400Regular.ttf", { with: { type: "bytes" } }),
  ]);
  for (const { default: bytes } of [latin, latinBold, han, hanBold, emoji]) level(bytes);
  return {
    outlines: { Latin: create(latin.default), Han: create(han.default), Emoji: create(emoji.default) },
    files: {
      "NotoSans-Regular": latin.default,
      "NotoSans-Bold": latinBold.default,
      "NotoSansSC-Regular": han.default,
      "NotoSansSC-Bold": hanBold.default,
      "NotoEmoji-Regular": emoji.default,
    },
    fonts: {
      Latin: { normal: "NotoSans-Regular", bold: "NotoSans-Bold" },
      Han: { normal: "NotoSansSC-Regular", bold: "NotoSansSC-Bold" },
      Emoji: { normal: "NotoEmoji-Regular", bold: "NotoEmoji-Regular" },
    },
  };
}

/** Of the em, above and below the base line: Noto Sans's own. */
const LEVEL = { ascender: 1.069, descender: -0.293 };

/**
 * Gives all fonts the same heights (ISO/IEC 14496-22, `hhea`): else a line that has one Chinese character would stand
 * lower than its neighbours in the row of a table.
 */
function level(bytes: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tables = new Map<string, number>();
  for (let i = 0; i < view.getUint16(4); i++) {
    const at = 12 + 16 * i;
    tables.set(String.fromCharCode(...bytes.subarray(at, at + 4)), view.getUint32(at + 8));
  }
  const unitsPerEm = view.getUint16(tables.get("head")! + 18);
  const hhea = tables.get("hhea")!;
  view.setInt16(hhea + 4, Math.round(LEVEL.ascender * unitsPerEm));
  view.setInt16(hhea + 6, Math.round(LEVEL.descender * unitsPerEm));
  view.setInt16(hhea + 8, 0);
}
