import { Buffer } from "node:buffer";
import { type IncomingMessage, request as send } from "node:http";
import type { Duplex } from "node:stream";
import { connectFailure, tooLarge } from "./failures.ts";
import { hostOf } from "./target.ts";

/** A request as it goes out once; a redirect makes another one. */
export interface Request {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string | Uint8Array | undefined;
}

/** Bytes of headers at most. */
const HEADERS_MAX = 64 * 1024;
/** Of one connection, and written here. */
const HOP_BY_HOP = ["connection", "content-length", "expect", "host", "keep-alive", "te", "trailer"]
  .concat("transfer-encoding", "upgrade", "proxy-connection");

/**
 * One request over a connection that was opened for it and ends with it.
 *
 * @throws {TaskFailure} `connect_failure` or `response_too_large`, the latter for headers
 * @throws the signal's reason; after the answer has begun it destroys the connection
 */
export function request(
  { url, method, headers, body }: Request,
  connection: Duplex,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  if (signal.aborted) connection.destroy();
  const kept = [...headers].filter(([name]) => !HOP_BY_HOP.includes(name));
  const sent = send({
    method,
    path: url.pathname + url.search,
    headers: {
      host: url.host,
      ...Object.fromEntries(kept),
      ...(body !== undefined && { "content-length": Buffer.byteLength(body) }),
      connection: "close",
    },
    maxHeaderSize: HEADERS_MAX,
    createConnection: () => connection,
  });
  const fail = (error?: Error & { code?: string }) => {
    const host = hostOf(url);
    if (signal.aborted) reject(signal.reason);
    else if (error?.code === "HPE_HEADER_OVERFLOW") reject(tooLarge(host, `${HEADERS_MAX} bytes of headers`));
    else reject(connectFailure(host, "did not answer in HTTP", error));
  };
  const abort = () => {
    sent.destroy();
    fail();
  };
  signal.addEventListener("abort", abort);
  sent.on("response", resolve).on("error", fail).on("close", () => {
    signal.removeEventListener("abort", abort);
    // Not every end is an error: an upgrade that nobody asked for is none. After an answer this changes nothing.
    fail();
  });
  sent.end(body);
  return promise;
}
