/**
 * Opens connections to addresses that were checked, and to no others: between the check and the connection no name is
 * looked up again. By Deno's own connections, for two reasons (Deno 2.9): `node:https` asks for a permission that
 * cannot be given (`sys: "ca"`), and where `--deny-net` forbids an address, `node:net` throws what nobody can catch.
 */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { Duplex } from "node:stream";
import type { AllowList } from "./allow.ts";
import { blocked, connectFailure, dnsFailure, tlsFailure } from "./failures.ts";
import { hostOf, portOf } from "./target.ts";

/** The addresses of a name, as the system knows them. */
export type Resolve = (host: string) => Promise<string[]>;

const system: Resolve = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

/** One address that does not answer does not keep the others from being tried. */
const PATIENCE = 3_000;

/**
 * Connects to the host of a URL.
 *
 * @throws {TaskFailure} `egress_blocked`, `dns_failure`, `connect_failure` or `tls_failure`
 * @throws the signal's reason, as soon as it aborts
 */
export async function connect(
  url: URL,
  allow: AllowList,
  signal: AbortSignal,
  resolve: Resolve = system,
): Promise<Duplex> {
  const host = hostOf(url);
  const addresses = await checked(host, allow, signal, resolve);
  const tcp = await first(host, addresses, portOf(url), signal);
  const conn = url.protocol === "https:" ? await secured(tcp, host, signal) : tcp;
  // The types of Deno's streams and of Node's know nothing of each other.
  const socket = Duplex.fromWeb(conn as unknown as Parameters<typeof Duplex.fromWeb>[0]);
  // What comes after the answer, such as a reset, is nobody's error, and would be everybody's without a listener.
  return socket.on("error", () => {});
}

/** The addresses that may be connected to: of a name that has others, too, those are left out. */
async function checked(
  host: string,
  allow: AllowList,
  signal: AbortSignal,
  resolve: Resolve,
): Promise<string[]> {
  const all = isIP(host) ? [host] : await orAborted(resolve(host), signal).catch((error) => {
    signal.throwIfAborted();
    if (error instanceof Deno.errors.NotCapable) throw error;
    throw dnsFailure(host, error);
  });
  if (all.length === 0) throw dnsFailure(host);
  const admitted = all.filter((address) => allow.admits(host, address));
  if (admitted.length === 0) throw blocked(host, "leads to an address that is not public");
  return admitted;
}

async function first(
  host: string,
  addresses: readonly string[],
  port: number,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  const last = addresses.at(-1);
  let failure: unknown;
  for (const hostname of addresses) {
    const late = new AbortController();
    const timer = hostname === last ? undefined : setTimeout(() => late.abort(), PATIENCE);
    try {
      return await Deno.connect({ hostname, port, signal: AbortSignal.any([signal, late.signal]) });
    } catch (error) {
      signal.throwIfAborted();
      // The second wall, or a type that did not ask for the network.
      if (error instanceof Deno.errors.NotCapable) throw error;
      failure = error;
    } finally {
      clearTimeout(timer);
    }
  }
  throw connectFailure(host, "could not be connected to", failure);
}

async function secured(tcp: Deno.TcpConn, host: string, signal: AbortSignal): Promise<Deno.TlsConn> {
  const conn = await Deno.startTls(tcp, { hostname: host, alpnProtocols: ["http/1.1"] });
  try {
    await orAborted(conn.handshake(), signal);
    return conn;
  } catch (error) {
    conn.close();
    signal.throwIfAborted();
    if (error instanceof Deno.errors.InvalidData) throw tlsFailure(host, error);
    throw connectFailure(host, "broke off the TLS handshake", error);
  }
}

/** Like the promise, or rejects with the signal's reason where that comes first. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
