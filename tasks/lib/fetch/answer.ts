/** What of an answer becomes the result. */
import { z } from "zod";
import type { Fetched } from "../egress/fetch.ts";
import { TaskFailure } from "../failure.ts";
import { pointed } from "../web/pointer.ts";
import type { Hide } from "./hide.ts";

export const KINDS = ["json", "text", "file"] as const;
export type Kind = (typeof KINDS)[number];

/** What the content type says that it is, where the request does not. */
export function kindOf(contentType: string | null): Kind {
  const essence = (contentType ?? "").split(";")[0]!.trim().toLowerCase();
  if (/^[\w.+-]+\/(?:[\w.+-]+\+)?json$/.test(essence)) return "json";
  return essence === "" || /^text\/|[+/](?:xml|javascript|x-www-form-urlencoded|yaml)$/.test(essence)
    ? "text"
    : "file";
}

/**
 * @throws {TaskFailure} `unsupported_format` where the body is no JSON; `select_failed` where the pointer points to
 * nothing
 */
export function jsonOf(bytes: Uint8Array, host: string, select: string | undefined, hide: Hide): unknown {
  let value: unknown;
  try {
    value = hide.json(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch {
    // Why it cannot be parsed would quote it.
    throw new TaskFailure("unsupported_format", `${host} answered with what is no JSON.`);
  }
  if (select === undefined) return value;
  const found = pointed(value, select);
  if (found !== undefined) return found;
  // Among the details, as a pointer looks like a path, which messages do not show.
  throw new TaskFailure(
    "select_failed",
    `${host} answered with JSON that has nothing at what was to be selected.`,
    {
      details: { select },
    },
  );
}

/** What to call the file: as the answer says (RFC 6266, where it is simple), or as the URL ends. */
export function fileNameOf({ headers, url }: Fetched): string | undefined {
  const disposition = headers.get("content-disposition") ?? "";
  const [, encoded] = /;\s*filename\*\s*=\s*utf-8'[^']*'([^\s;]+)/i.exec(disposition) ?? [];
  const [, quoted, plain] = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(disposition) ?? [];
  const given = decoded(encoded) ?? quoted?.replace(/\\(.)/g, "$1") ?? plain ??
    decoded(new URL(url).pathname.split("/").at(-1));
  // A name, not a path; and one line.
  return given?.split(/[/\\]/).at(-1)?.replace(/\p{Cc}+/gu, " ").trim().slice(0, 200) || undefined;
}

function decoded(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

export const answered = z.strictObject({
  status: z.int(),
  /** Where redirects led; absent where there were none. */
  url: z.string().optional(),
  headers: z.record(z.string(), z.string()),
  body: z.unknown().optional(),
  /** The file's id. */
  file: z.uuid().optional(),
  name: z.string().optional(),
  contentType: z.string().optional(),
  /** Bytes. */
  size: z.int().optional(),
  ms: z.int(),
});
export type Answered = z.output<typeof answered>;
