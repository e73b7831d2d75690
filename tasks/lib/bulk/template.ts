import { z } from "zod";

/** `{{name}}`, or `{{name|friend}}` with what stands there for those who have none. */
const PLACE = /\{\{([^{}|]{1,200})(?:\|([^{}]{0,1000}))?\}\}/g;
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A text with places, as one writes it. */
export const template = <Text extends z.ZodType<string>>(text: Text) =>
  text.refine(
    (text) =>
      !text.replace(PLACE, "").includes("{{") && [...text.matchAll(PLACE)].every(([, name]) => name!.trim()),
    "must have a name in each of its places, such as {{name}} or {{name|friend}}",
  );

export const asText = (value: string): string => value;
/** As text of an element, or as a value of an attribute that is in quotes: HTML, "escaping a string". */
export const asHtml = (value: string): string => value.replace(/[&<>"']/g, (mark) => ENTITIES[mark]!);

export class Template {
  readonly #texts: string[] = [];
  readonly #places: { name: string; otherwise: string | undefined }[] = [];

  /** @param escape what a value goes through; the template itself is its author's */
  constructor(text: string, readonly escape: (value: string) => string) {
    let at = 0;
    for (const { 0: place, 1: name, 2: otherwise, index } of text.matchAll(PLACE)) {
      this.#texts.push(text.slice(at, index));
      this.#places.push({ name: name!.trim(), otherwise });
      at = index + place.length;
    }
    this.#texts.push(text.slice(at));
  }

  /** A place that has to be filled, and is not. */
  missing(values: ReadonlyMap<string, string>): string | undefined {
    return this.#places.find(({ name, otherwise }) => otherwise === undefined && !values.get(name))?.name;
  }

  render(values: ReadonlyMap<string, string>): string {
    let text = this.#texts[0]!;
    for (const [i, { name, otherwise = "" }] of this.#places.entries()) {
      const value = values.get(name);
      text += (value ? this.escape(value) : otherwise) + this.#texts[i + 1]!;
    }
    return text;
  }
}
