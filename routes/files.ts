import type { Context, Hono } from "hono";
import type { FileInfo, Files } from "../queue/files/files.ts";
import { mediaType } from "../queue/files/names.ts";
import type { Task } from "../queue/task.ts";
import { madeFile } from "../tasks/mod.ts";
import { type Caller, stillAdmitted } from "./admit.ts";
import { BodyReader } from "./body.ts";
import type { AppDeps } from "./deps.ts";
import { attachment, nameIn } from "./disposition.ts";
import { Problem } from "./problem.ts";
import { rangeIn } from "./range.ts";
import { isoTime } from "./render.ts";
import { reply, replyEmpty } from "./reply.ts";
import { taskId } from "./submission.ts";
import { refuseWhileDraining } from "./tasks.ts";

/** Characters; a longer result is more than the name of a file. */
const REFERENCE_MAX = 8_192;

/** Whatever the bytes are, no browser runs them as a page of this server. */
const INERT = {
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; sandbox",
  "cache-control": "private, no-cache",
  "accept-ranges": "bytes",
};

/** `/v1/files`: raw bytes in, raw bytes out. */
export function mountFiles(app: Hono, files: Files, { admit, health, limits, base }: AppDeps): void {
  const bodies = new BodyReader(limits);

  app.post("/v1/files", async (c) => {
    const caller = admit(c.req.raw, "submit");
    refuseWhileDraining(health);
    const { headers } = c.req.raw;
    const content = whileAdmitted(caller, bodies.pieces(c.req.raw, files.fileMax, "bad-request"));
    const file = await files.put(caller.owner, content, {
      contentType: typeIn(headers),
      name: nameIn(headers.get("content-disposition")),
      // Where it is no number, Deno has refused the request.
      size: Number(headers.get("content-length") ?? 0),
    });
    return reply(201, renderFile(file, base), { location: `/v1/files/${file.id}` });
  });

  app.get("/v1/files/:id", async (c) => {
    const { owner } = admit(c.req.raw, "read");
    const id = taskId(c.req.param("id"));
    const file = id && await files.get(owner, id);
    if (!file) throw new Problem("file-not-found");
    return await sendFile(c, files, file);
  });

  app.delete("/v1/files/:id", async (c) => {
    const { owner } = admit(c.req.raw, "cancel");
    const id = taskId(c.req.param("id"));
    if (id === undefined || !await files.remove(owner, id)) throw new Problem("file-not-found");
    return replyEmpty(204);
  });
}

/** An upload may take hours: nothing is kept of one whose key ends before it does. */
async function* whileAdmitted(caller: Caller, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    stillAdmitted(caller, { connection: "close" });
    yield piece;
  }
  stillAdmitted(caller);
}

/** The file that a task's result is, where it is one and nothing else. */
export async function fileOf({ owner, id, result }: Task, files: Files): Promise<FileInfo | undefined> {
  if (result === undefined || result.length > REFERENCE_MAX) return undefined;
  const reference = madeFile.safeParse(JSON.parse(result));
  const file = reference.success ? await files.get(owner, reference.data.file) : undefined;
  return file?.task === id ? file : undefined;
}

/** The file itself, or the part of it that is asked for (RFC 9110, 14). */
export async function sendFile(c: Context, files: Files, file: FileInfo): Promise<Response> {
  const { size, contentType, sha256, name } = file;
  const etag = `"${sha256}"`;
  const headers = { ...INERT, etag };
  if (lists(c.req.header("if-none-match"), etag)) return replyEmpty(304, headers);
  const unchanged = [undefined, etag].includes(c.req.header("if-range"));
  const range = rangeIn(unchanged && c.req.method === "GET" ? c.req.header("range") : undefined, size);
  if (range === "unsatisfiable") {
    throw new Problem("range-not-satisfiable", undefined, {
      headers: { "content-range": `bytes */${size}` },
    });
  }
  const { from, to } = range === "all" ? { from: 0, to: size - 1 } : range;
  const body = c.req.method === "HEAD" ? null : await files.read(file, { from, to });
  if (body === undefined) throw new Problem("file-not-found");
  return new Response(body, {
    status: range === "all" ? 200 : 206,
    headers: {
      ...headers,
      "content-type": contentType,
      "content-length": String(to - from + 1),
      "content-disposition": attachment(name),
      ...(range !== "all" && { "content-range": `bytes ${from}-${to}/${size}` }),
    },
  });
}

export function renderFile(file: FileInfo, base = ""): string {
  const { id, size, contentType, sha256, name, createdAt, task } = file;
  const links = {
    self: `${base}/v1/files/${id}`,
    ...(task !== undefined && { task: `${base}/v1/tasks/${task}` }),
  };
  return JSON.stringify({
    id,
    size,
    contentType,
    sha256,
    name,
    createdAt: isoTime(createdAt),
    links,
  });
}

/** RFC 9110, 13.1.2: compared weakly. */
function lists(condition: string | undefined, etag: string): boolean {
  return condition?.split(",").map((tag) => tag.trim().replace(/^W\//, ""))
    .some((tag) => tag === etag || tag === "*") ?? false;
}

const ANY = { headers: { "accept": "*/*", "accept-encoding": "identity" } };

function typeIn(headers: Headers): string | undefined {
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding.toLowerCase() !== "identity") {
    throw new Problem(
      "unsupported-media-type",
      "Content-Encoding must be absent: files are kept as they come.",
      ANY,
    );
  }
  const type = headers.get("content-type");
  if (type === null) return undefined;
  const known = mediaType(type);
  if (known === undefined) throw new Problem("unsupported-media-type", "Content-Type is no media type.", ANY);
  return known;
}
