import type { DomHandler } from "htmlparser2";

export type Root = DomHandler["root"];
type Node = Root["children"][number];
export type Element = Extract<Node, { attribs: unknown }>;

/** Not for readers, unless it is what was asked for. */
const UNREAD = new Set(["script", "style", "template", "noscript", "textarea", "select", "svg", "iframe"]);
/** What stands in a line with its neighbours; anything else is a word's end. */
const INLINE = new Set([
  ...["a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd"],
  ...["label", "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr"],
]);

/** What an element says to a reader, its white space collapsed. */
export function textOf(element: Element): string {
  const parts: string[] = [];
  collect(element, parts, true);
  return parts.join("").replace(/\s+/g, " ").trim();
}

function collect(node: Node, parts: string[], asked = false): void {
  if (node.type === "text") parts.push(node.data);
  if (!("children" in node)) return;
  const name = "name" in node ? node.name : "";
  if (!asked && UNREAD.has(name)) return;
  const apart = !INLINE.has(name);
  if (apart) parts.push(" ");
  for (const child of node.children) collect(child, parts);
  if (apart) parts.push(" ");
}
