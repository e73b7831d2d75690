import type { IncomingMessage } from "node:http";
import { pipeline, type Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { connectFailure, tooLarge, unreadable } from "./failures.ts";
import { TaskFailure } from "../failure.ts";
import type { Request } from "./request.ts";
import { hostOf } from "./target.ts";

export interface BodyLimits {
  /** Bytes as they are handed on, that is, inflated. */
  readonly maxBytes: number;
  /** Bytes handed on for each one that was received. */
  readonly maxRatio: number;
}

const INFLATERS: ReadonlyMap<string, () => Transform> = new Map([
  ["gzip", createGunzip],
  ["x-gzip", createGunzip],
  ["deflate", createInflate],
  ["br", createBrotliDecompress],
]);
export const ENCODINGS = "gzip, deflate, br";
const BODILESS = new Set([204, 205, 304]);
/** Small bodies may be as repetitive as they like. */
const RATIO_FREE = 1 << 20;

/**
 * The body, inflated piece by piece: what is not asked for is not inflated, and what goes beyond a limit never is.
 *
 * @throws {TaskFailure} `response_too_large`, `connect_failure` where the connection broke, or `unsupported_format`
 */
export async function* bodyOf(
  message: IncomingMessage,
  { url, method }: Request,
  { maxBytes, maxRatio }: BodyLimits,
): AsyncGenerator<Uint8Array> {
  // Their headers may speak of a body that does not come.
  if (method === "HEAD" || BODILESS.has(message.statusCode!) || message.headers["content-length"] === "0") {
    return;
  }
  const host = hostOf(url);
  const encoding = message.headers["content-encoding"]?.trim().toLowerCase() || "identity";
  const inflater = INFLATERS.get(encoding);
  if (!inflater && encoding !== "identity") throw unreadable(host, "gzip, deflate or br");
  if (!inflater && Number(message.headers["content-length"]) > maxBytes) {
    throw tooLarge(host, `${maxBytes} bytes`);
  }
  let received = 0;
  let broken: unknown;
  const arriving = async function* () {
    try {
      for await (const chunk of message) {
        received += chunk.length;
        yield chunk;
      }
    } catch (error) {
      broken = error;
      throw error;
    }
  };
  let passed = 0;
  try {
    // The callback would say what the iteration says, too.
    for await (const chunk of inflater ? pipeline(arriving, inflater(), () => {}) : arriving()) {
      passed += chunk.length;
      if (passed > maxBytes) throw tooLarge(host, `${maxBytes} bytes`);
      if (passed > Math.max(RATIO_FREE, received * maxRatio)) {
        throw tooLarge(host, `${maxRatio} bytes for each byte that it sent`);
      }
      // Not a Buffer: those share their memory.
      yield new Uint8Array(chunk);
    }
  } catch (error) {
    if (error instanceof TaskFailure) throw error;
    if (broken) throw connectFailure(host, "broke off its answer", broken);
    throw unreadable(host, encoding, error);
  }
}
