/** The name of a file in `Content-Disposition` (RFC 6266), read from uploads and written to downloads. */

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** RFC 8187, 3.2.1: what may stand unencoded, besides letters and digits. */
const encodedAs = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
const encode = (text: string) => encodeURIComponent(text).replace(/['()*]/g, encodedAs);

/** Always an attachment: no browser shows it as a page of this server. */
export function attachment(name: string | undefined): string {
  if (name === undefined) return "attachment";
  // For clients that know `filename` alone; without what some of them unescape differently than others.
  const plain = name.replace(/[^ -~]|["\\%]/gu, "_");
  const encoded = plain === name ? "" : `; filename*=UTF-8''${encode(name)}`;
  return `attachment; filename="${plain}"${encoded}`;
}

const PARAMETER = /;\s*([\w!#$&+.^`|~-]+\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))\s*/gy;

/** What the giver calls the file; `undefined` where the header says nothing, or nothing that can be read. */
export function nameIn(header: string | null): string | undefined {
  const parameters = new Map<string, string>();
  PARAMETER.lastIndex = header?.indexOf(";") ?? 0;
  for (let match; header && PARAMETER.lastIndex >= 0 && (match = PARAMETER.exec(header));) {
    const [, key, quoted, token] = match;
    parameters.set(key!.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? token!);
  }
  return extended(parameters.get("filename*")) ?? plain(parameters.get("filename"));
}

/** RFC 8187, 3.2: `UTF-8'en'%e2%82%ac.txt`. */
function extended(value: string | undefined): string | undefined {
  const encoded = /^utf-8'[\w-]*'([^']*)$/i.exec(value ?? "")?.[1];
  try {
    return encoded && decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

/** Headers are bytes, which arrive as a character each; many clients send UTF-8. */
function plain(value: string | undefined): string | undefined {
  if (value === undefined || /^[\0-\x7f]*$/.test(value)) return value;
  try {
    return utf8.decode(Uint8Array.from(value, (character) => character.charCodeAt(0)));
  } catch {
    return value;
  }
}
