/** How a report looks: its document in the terms of pdfmake. Texts are only ever leaves of it. */
import { TaskFailure } from "../failure.ts";
import type { Draw } from "./chart.ts";
import { FAMILIES, type Fonts } from "../fonts.ts";
import type { Picture } from "./picture.ts";
import { type Chart, type Image, paragraphsOf, type Report, type Section } from "./report.ts";
import { tableNode } from "./table.ts";
import { leaf, type Node } from "./text.ts";

export interface Picked extends Picture {
  /** `data:` with all its bytes. */
  readonly url: string;
}

export interface Materials {
  readonly fonts: Fonts;
  readonly draw: Draw;
  /** By the file's id. */
  readonly pictures: ReadonlyMap<string, Picked>;
}

const INK = "#0f172a";
const QUIET = "#64748b";
const MARGIN = { side: 48, top: 56, bottom: 56 };
/** Points, ISO 216 and ANSI, portrait. */
const SIZES = {
  A3: [841.89, 1190.55],
  A4: [595.28, 841.89],
  A5: [419.53, 595.28],
  letter: [612, 792],
  legal: [612, 1008],
} as const;
/** Below a heading at least so much of what follows is on its page. */
const TOGETHER = 64;
/** Points in a pixel at 96 pixels an inch. */
const PIXEL = 0.75;

export function documentOf(report: Report, materials: Materials): Node {
  const { title, author, pageSize, orientation, locale, header, footer } = report;
  const [short, long] = SIZES[pageSize];
  const [width, height] = orientation === "portrait" ? [short, long] : [long, short];
  const layout = new Layout(report, materials, {
    width: width - 2 * MARGIN.side,
    height: height - MARGIN.top - MARGIN.bottom,
  });
  const info = { title, ...(author !== undefined && { author }), creator: "Errand", producer: "Errand" };
  return {
    info,
    language: locale,
    pageSize: { width, height },
    pageMargins: [MARGIN.side, MARGIN.top, MARGIN.side, MARGIN.bottom],
    header: layout.margin(header, 28),
    footer: layout.margin(footer, 22),
    defaultStyle: { font: "Latin", fontSize: 10, lineHeight: 1.12, color: INK },
    content: [...layout.title(), ...report.sections.flatMap((section, i) => layout.section(section, i))],
    images: Object.fromEntries([...materials.pictures].map(([id, { url }]) => [id, url])),
  };
}

class Layout {
  constructor(
    readonly report: Report,
    readonly materials: Materials,
    /** What a page has room for. */
    readonly room: { width: number; height: number },
  ) {}

  title(): Node[] {
    const { title, author } = this.report;
    return [
      this.#text(title, { fontSize: 22, bold: true, lineHeight: 1, margin: [0, 0, 0, author ? 2 : 14] }),
      ...(author ? [this.#text(author, { color: QUIET, margin: [0, 0, 0, 14] })] : []),
    ];
  }

  /** For each page anew. */
  margin(parts: Report["header"], top: number) {
    const places = ["left", "center", "right"] as const;
    if (places.every((place) => !parts[place])) return undefined;
    return (page: number, pages: number): Node => {
      const values: Record<string, string> = { page: `${page}`, pages: `${pages}`, title: this.report.title };
      const columns = places.map((place) => {
        const text = (parts[place] ?? "").replaceAll(
          /\{\{(page|pages|title)\}\}/g,
          (_, name) => values[name]!,
        );
        return { width: "*", ...this.#text(text, { alignment: place }) };
      });
      return {
        columns,
        columnGap: 12,
        fontSize: 8,
        color: QUIET,
        margin: [MARGIN.side, top, MARGIN.side, 0],
      };
    };
  }

  section(section: Section, i: number): Node[] {
    const parts: Node[] = [];
    if (section.text !== undefined) parts.push(...this.#paragraphs(section.text));
    if (section.list) {
      parts.push({
        ul: section.list.map((item) => this.#text(item, { margin: [0, 1] })),
        margin: [0, 0, 0, 10],
      });
    }
    if (section.table) {
      const where = `sections[${i}].table`;
      parts.push(tableNode(section.table, this.materials.fonts, this.report, this.room, where));
    }
    if (section.chart) parts.push(this.#chart(section.chart, `sections[${i}].chart`));
    if (section.image) parts.push(this.#image(section.image));
    const all = section.heading === undefined
      ? parts
      : headed(this.#heading(section.heading, i === 0), parts);
    if (section.pageBreak && i > 0) all.unshift({ text: "", pageBreak: "before" });
    return all;
  }

  #heading(heading: string, first: boolean): Node {
    return this.#text(heading, {
      fontSize: 14,
      bold: true,
      lineHeight: 1,
      margin: [0, first ? 0 : 12, 0, 6],
    });
  }

  #paragraphs(text: string): Node[] {
    return paragraphsOf(text).map((paragraph) => this.#text(paragraph, { margin: [0, 0, 0, 8] }));
  }

  #chart(chart: Chart, where: string): Node {
    const svg = { svg: this.#drawn(chart, where), margin: [0, 0, 0, 14] };
    const title = chart.title === undefined
      ? []
      : [this.#text(chart.title, { bold: true, margin: [0, 0, 0, 4] })];
    return { stack: [fontsOpened(), ...title, svg], unbreakable: true };
  }

  #drawn(chart: Chart, where: string): string {
    try {
      return this.materials.draw(chart, this.room.width, this.report);
    } catch (cause) {
      // Such as one whose values are all but nothing.
      throw new TaskFailure("invalid_input", `${where} cannot be drawn: its values are out of range.`, {
        cause,
      });
    }
  }

  #image({ file, width, align, caption }: Image): Node {
    const picture = this.materials.pictures.get(file)!;
    const most = { width: this.room.width, height: this.room.height - 80 };
    const fit = width === undefined
      ? [Math.min(picture.width * PIXEL, most.width), Math.min(picture.height * PIXEL, most.height)]
      : [Math.min(width, most.width), most.height];
    const image = { image: file, fit, alignment: align, margin: [0, 2, 0, caption ? 4 : 14] };
    if (!caption) return image;
    const words = this.#text(caption, {
      fontSize: 8.5,
      color: QUIET,
      alignment: align,
      margin: [0, 0, 0, 14],
    });
    return { stack: [image, words], unbreakable: true };
  }

  #text(text: string, style: Node = {}): Node {
    return leaf(this.materials.fonts, text, style);
  }
}

/** Texts in SVG open no fonts themselves. Takes no room. */
function fontsOpened(): Node {
  return { text: FAMILIES.map((font) => ({ text: "", font })), absolutePosition: { x: 0, y: 0 } };
}

/**
 * A heading that does not stay behind at the foot of a page: it stands in a block that is not broken, together with
 * the room that what follows takes at least, and what follows is moved up into that room.
 */
function headed(heading: Node, parts: Node[]): Node[] {
  const [first, ...rest] = parts;
  if (first === undefined) return [heading];
  if (first.unbreakable === true) return [{ stack: [heading, first], unbreakable: true }, ...rest];
  const [left = 0, top = 0, right = 0, bottom = 0] = first.margin as number[];
  const spacer = { canvas: [], margin: [0, 0, 0, TOGETHER] };
  return [
    { stack: [heading, spacer], unbreakable: true },
    { ...first, margin: [left, top - TOGETHER, right, bottom] },
    ...rest,
  ];
}
