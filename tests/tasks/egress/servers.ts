import { createServer, type Socket } from "node:net";
import assert from "node:assert/strict";
import { type FetchOptions, guardedFetch, parseAllowList, TaskFailure } from "../../../tasks/mod.ts";

export const LOOPBACK = parseAllowList("127.0.0.0/8,::1")!;

/** The guard, let through to the loopback interface. */
export const reach = (url: string, options: FetchOptions = {}) =>
  guardedFetch(url, { allow: LOOPBACK, ...options });

/** An HTTP server on a free port of the loopback interface. */
export async function serving(
  handler: (request: Request, url: URL) => Response | Promise<Response>,
  test: (origin: string) => Promise<void>,
  tls: { key?: string; cert?: string } = {},
): Promise<void> {
  const server = Deno.serve(
    // Deno's types have certificates as both or none.
    { hostname: "127.0.0.1", port: 0, onListen() {}, ...tls as { key: string; cert: string } },
    (request) => handler(request, new URL(request.url)),
  );
  try {
    await test(`${tls.cert ? "https" : "http"}://localhost:${server.addr.port}`);
  } finally {
    await server.shutdown();
  }
}

/** A server that does with connections what HTTP servers do not. Answers how many there were. */
export async function raw(
  talk: (socket: Socket) => void,
  test: (origin: string) => Promise<void>,
): Promise<number> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    talk(socket);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  try {
    await test(`http://127.0.0.1:${(server.address() as { port: number }).port}`);
    return connections;
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => server.close(closed));
  }
}

export async function failureOf(doing: Promise<unknown>): Promise<TaskFailure> {
  const failure = await doing.then((value) => value, (error) => error);
  assert.ok(failure instanceof TaskFailure, String(failure?.stack ?? failure));
  return failure;
}
