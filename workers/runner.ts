/**
 * The main thread of a runner: an idle agent that hosts the pool. No task code runs here, so it always answers,
 * sees the memory, and ends with its parent: the channel on descriptor 3 ends when the API process does.
 */
import { Socket } from "node:net";
import { Frames } from "./frames.ts";
import { decode, FROM_ABOVE, type Order, Outbox, type PoolSpec, type Report } from "./messages.ts";
import { Pool } from "./pool.ts";

const CHANNEL = 3;
const LOOK_AT_MEMORY = 100;
/** Only the API process writes here. */
const FRAME_MAX = 2 ** 31;

const socket = new Socket({ fd: CHANNEL });
const outbox = new Outbox<Report>((text) => frames.send(text));
const frames = new Frames(socket, FRAME_MAX, receive, () => Deno.exit(1));
let pool: Pool;

// Ctrl-C and service managers signal the whole group, but only the API process decides when a runner ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, () => {});
socket.on("end", () => Deno.exit(0));
socket.on("close", () => Deno.exit(0));
socket.on("error", () => Deno.exit(0));

function receive(text: string): void {
  for (const order of decode<Order>(text, FROM_ABOVE)) {
    if (order[0] === "init") init(order[1]);
    else if (order[0] === "ping") outbox.post(["pong"]);
    else pool.take(order);
  }
}

function init(spec: PoolSpec): void {
  pool = new Pool(spec, (report) => {
    outbox.post(report);
    // Told before anything else can keep this thread busy.
    if (report[0] === "condemned") outbox.flush();
  });
  const limit = Deno.memoryUsage().rss + spec.memory * 2 ** 20;
  let told = false;
  setInterval(() => {
    if (told || Deno.memoryUsage().rss < limit) return;
    told = true;
    const message = `The runner used more than ${spec.memory} MB.`;
    outbox.post(["condemned", "out_of_memory", message, pool.running]);
    outbox.flush();
  }, LOOK_AT_MEMORY);
}
