import type { Fonts } from "../fonts.ts";

/** A piece of a pdfmake document: https://pdfmake.github.io/docs/ */
export type Node = Record<string, unknown>;

/** May be broken anywhere, so that it widens no column beyond the page. */
export const LONG_WORD = 24;
/** Without surrogates: half of a pair is no character. */
const LONG = new RegExp(`[^\\s\\ud800-\\udfff]{${LONG_WORD},}`);
const LONG_PART = new RegExp(`(\\S{${LONG_WORD},})`);

/** A text as a leaf of the document, each of its runs in its font. */
export function leaf(fonts: Fonts, text: string, style: Node = {}): Node {
  const parts = fonts.runs(text).flatMap((run): Node[] => {
    if (run.font !== "Latin" || !LONG.test(run.text)) return [{ ...run }];
    return run.text.split(LONG_PART).filter((part) => part !== "").map((text) => ({
      text,
      font: run.font,
      ...(LONG.test(text) && { wordBreak: "break-all" }),
    }));
  });
  return { ...(parts.length === 1 ? parts[0] : { text: parts }), ...style };
}
