/**
 * Holds connections open, as a process of its own: `hold.ts ORIGIN COUNT PATH [HEADER…]`. Says `held` when all requests
 * are sent, `answered` when each has got an answer, and ends with its input.
 */
const [origin = "", count = "", path = "", ...headers] = Deno.args;
const { hostname, port } = new URL(origin);
const request = new TextEncoder().encode(
  [`GET ${path} HTTP/1.1`, `Host: ${hostname}:${port}`, ...headers, "", ""].join("\r\n"),
);
/** Connections that are made at the same time: more would overrun the listener's backlog. */
const AT_ONCE = 64;

const total = Number(count);
let opened = 0;
let answered = 0;

async function open(): Promise<void> {
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(request);
  read(connection);
}

async function read(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1024);
  for (let first = true; await connection.read(buffer) !== null; first = false) {
    if (first && ++answered === total) console.log("answered");
  }
}

async function openSome(): Promise<void> {
  while (opened++ < total) await open();
}

await Promise.all(Array.from({ length: AT_ONCE }, openSome));
console.log("held");
for await (const _ of Deno.stdin.readable);
Deno.exit(0);
