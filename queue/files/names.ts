/** What givers say of a file, made harmless. Neither is ever part of a path. */

const NAME_MAX = 255;
/** Controls, and the characters that turn the direction of text around, as in `invoice‮fdp.exe`. */
const UNSEEN = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;
/** RFC 9110, 8.3.1: type, subtype, and parameters whose values are tokens or plain quoted texts. */
const MEDIA_TYPE =
  /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+(?:[ \t]*;[ \t]*[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"[\w !#-[\]-~]*"))*$/;
const TYPE_MAX = 255;

export const ANY_TYPE = "application/octet-stream";

/** The last segment of what may be a path (RFC 6266, 4.3); `undefined` where nothing is left of it. */
export function safeName(text: string | undefined): string | undefined {
  const last = text?.toWellFormed().split(/[/\\]/).at(-1)?.replace(UNSEEN, "").trim();
  if (!last || /^\.+$/.test(last)) return undefined;
  // A character that was cut in two is left out whole.
  return last.slice(0, NAME_MAX).replace(/[\ud800-\udbff]$/, "").trim();
}

/** A media type; `undefined` for what is none. */
export function mediaType(text: string): string | undefined {
  return text.length <= TYPE_MAX && MEDIA_TYPE.test(text) ? text : undefined;
}
