/** The encodings of what comes from elsewhere: WHATWG Encoding, and HTML, "determining the character encoding". */

/** Where HTML must say its encoding, if it does. */
const PRESCANNED = 1_024;

/** What the first bytes say, which counts more than anything else does. */
function fromMark(bytes: Uint8Array): string | undefined {
  const [a, b, c] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  if (a === 0xfe && b === 0xff) return "utf-16be";
  if (a === 0xff && b === 0xfe) return "utf-16le";
  return undefined;
}

/** What `text/html; charset="iso-8859-15"` says. */
function fromHeader(contentType: string | null): string | undefined {
  return /;\s*charset\s*=\s*"?([^\s";,]+)/i.exec(contentType ?? "")?.[1];
}

/** What `<meta charset=…>` or `<meta http-equiv=content-type content="…; charset=…">` says near the beginning. */
function fromMeta(bytes: Uint8Array): string | undefined {
  const start = new TextDecoder("latin1").decode(bytes.subarray(0, PRESCANNED)).replace(/<!--.*?-->/gs, "");
  const label = /<meta\s[^>]{0,500}?charset\s*=\s*["']?\s*([^\s"'/>;]+)/i.exec(start)?.[1];
  // It could be read, so it is none of these.
  return label && /^utf-?16/i.test(label) ? "utf-8" : label;
}

function decoderFor(label: string | undefined): TextDecoder | undefined {
  try {
    return label === undefined ? undefined : new TextDecoder(label);
  } catch {
    return undefined;
  }
}

/** Text in the encoding that its first bytes or its header say, or UTF-8; without the byte order mark. */
export function decodeText(bytes: Uint8Array, contentType: string | null): string {
  const decoder = decoderFor(fromMark(bytes)) ?? decoderFor(fromHeader(contentType)) ?? new TextDecoder();
  return decoder.decode(bytes);
}

/** As `decodeText`, asking the page, too; one that does not say and is no UTF-8 is read as browsers do. */
export function decodePage(bytes: Uint8Array, contentType: string | null): string {
  const decoder = decoderFor(fromMark(bytes)) ?? decoderFor(fromHeader(contentType)) ??
    decoderFor(fromMeta(bytes));
  if (decoder) return decoder.decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}
