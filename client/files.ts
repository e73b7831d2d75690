/** What is too large for JSON. */
import type { Http } from "./http.ts";
import type { FileView } from "./types.ts";

export interface UploadOptions {
  /** For people; a `File` has one of its own. */
  readonly name?: string;
  /** `application/octet-stream` unless said; a `Blob` says its own. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** Milliseconds that it may take; as long as it takes, unless said. */
  readonly timeout?: number;
}

export type FileContent = Blob | BufferSource | ReadableStream<Uint8Array> | string;

export class Files {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * Uploads a file, to be named in a task's input by its id. A stream is sent while it is read, and cannot be sent
   * again if that fails; browsers send streams over HTTP/2 alone, and Firefox and Safari none: give those a `Blob`.
   */
  async upload(content: FileContent, options: UploadOptions = {}): Promise<FileView> {
    const blob = content instanceof Blob ? content : undefined;
    const name = options.name ??
      (typeof File === "function" && content instanceof File ? content.name : undefined);
    const headers = {
      "content-type": options.contentType || blob?.type || "application/octet-stream",
      ...(name !== undefined && { "content-disposition": `attachment; filename*=UTF-8''${encoded(name)}` }),
    };
    return await this.#http.json({
      method: "POST",
      path: "/v1/files",
      headers,
      body: content,
      signal: options.signal,
      patience: options.timeout ?? Infinity,
    });
  }

  /** Its bytes, as an HTTP answer: `.body`, `.blob()`, `.text()` … */
  async download(id: string, options: { range?: string; signal?: AbortSignal } = {}): Promise<Response> {
    const { range, signal } = options;
    const headers = range === undefined ? undefined : { range };
    const path = `/v1/files/${encodeURIComponent(id)}`;
    return await this.#http.send({ method: "GET", path, headers, signal }, (answer) => answer);
  }

  async delete(id: string, options: { signal?: AbortSignal } = {}): Promise<void> {
    const path = `/v1/files/${encodeURIComponent(id)}`;
    await this.#http.send({ method: "DELETE", path, once: true, ...options }, () => {});
  }
}

/** RFC 8187, 3.2.1. */
function encoded(name: string): string {
  return encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
