/**
 * `deno run -A bench/types.ts [--only fetch-url,generate-pdf] [--seconds 3]`: measures every task type with a small
 * input as people have them, against servers of this process, and what loading them costs the API process. Prints two
 * tables for `bench/README.md`.
 */
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { SMTPServer } from "smtp-server";
import { z } from "zod";
import { median, milliseconds, perSecond, table } from "./report.ts";
import { Service } from "./service.ts";

const { values } = parseArgs({
  options: { only: { type: "string" }, seconds: { type: "string", default: "3" } },
});
const only = values.only?.split(",");
const seconds = Number(values.seconds);
const WARM = 15;
const AHEAD = 64;
const RECIPIENTS = 100;
const [load] = Deno.loadavg();

const PAGE = `<!doctype html><title>Shop</title>${
  Array.from({ length: 200 }, (_, i) => `<p class="item"><a href="/${i}">Item ${i}</a> <b>${i} €</b></p>`)
    .join("\n")
}`;
const web = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
  const { pathname } = new URL(url);
  if (pathname === "/robots.txt") return new Response("", { status: 404 });
  if (pathname === "/page") return new Response(PAGE, { headers: { "content-type": "text/html" } });
  return Response.json({
    count: 1,
    items: Array.from({ length: 50 }, (_, id) => ({ id, name: `Item ${id}` })),
  });
});
const origin = `http://127.0.0.1:${web.addr.port}`;

const smtp = new SMTPServer({
  disabledCommands: ["STARTTLS", "AUTH"],
  disableReverseLookup: true,
  onData: (stream, _, done) => void stream.resume().on("end", () => done()),
});
await new Promise<void>((listening) => smtp.listen(0, "127.0.0.1", listening));
const address = smtp.server.address();
if (typeof address !== "object" || address === null) throw new TypeError("The mail server does not listen.");

const folder = await Deno.makeTempDir({ prefix: "errand-bench-types-" });
const shop = `${folder}/shop.db`;
using database = new DatabaseSync(shop);
database.exec("pragma journal_mode = wal; create table stock (item text, count integer)");
await Deno.writeTextFile(
  `${folder}/statements.sql`,
  "-- name: add-stock\ninsert into stock (item, count) values (:item, :count)\n",
);

const csv = ["name,country,amount", ...Array.from({ length: 1_000 }, (_, i) => `Name ${i},DE,${i}.50`)].join(
  "\n",
);
const noise = {
  width: 1_600,
  height: 1_200,
  channels: 3,
  background: "#888",
  noise: { type: "gaussian", mean: 128, sigma: 30 },
} as const;
const photo = await sharp({ create: noise }).jpeg({ quality: 80 }).toBuffer();

/** By type: its input, and in words what that is. */
const samples = (files: { photo: string; csv: string }): Record<string, [what: string, input: unknown]> => ({
  "count-primes": ["up to 1,000,000", { upTo: 1_000_000 }],
  "deliver-webhook": ["1 KB", {
    url: `${origin}/hook`,
    id: "m1",
    event: "task.succeeded",
    body: `{"data":"${"x".repeat(1_000)}"}`,
  }],
  "fetch-url": ["one answer of 2 KB in JSON", { requests: [{ url: `${origin}/data` }] }],
  "generate-pdf": ["a table of 100 rows and a chart", {
    title: "Sales",
    sections: [{
      heading: "By month",
      table: {
        columns: [{ header: "Item" }, { header: "Sales", align: "right" }],
        rows: Array.from({ length: 100 }, (_, i) => [`Item ${i}`, i * 10]),
      },
      chart: { kind: "bar", labels: ["A", "B", "C"], series: [{ name: "Sales", values: [1, 3, 2] }] },
    }],
  }],
  "process-file": ["1,000 rows of CSV to JSON, with a summary", {
    file: files.csv,
    to: "json",
    summarize: true,
  }],
  "process-image": ["a JPEG of 1,600 × 1,200 to WebP, 400 wide", {
    file: files.photo,
    outputs: [{ format: "webp", width: 400 }],
  }],
  "scrape-page": ["one page, 200 items", {
    urls: [`${origin}/page`],
    select: { items: { selector: ".item a", all: true }, prices: { selector: ".item b", all: true } },
  }],
  "send-bulk-email": [`to ${RECIPIENTS} recipients`, {
    subject: "Hello {{name}}",
    text: "Hi {{name}}",
    recipients: Array.from(
      { length: RECIPIENTS },
      (_, i) => ({ address: `a${i}@example.com`, name: `Ada ${i}` }),
    ),
  }],
  "send-email": ["a line of text", { to: "ada@example.com", subject: "Hello", text: "Hi Ada" }],
  "send-notification": ["to one Slack channel", {
    to: [{ slack: `${origin}/slack` }],
    title: "Done",
    text: "All 12.",
  }],
  "sleep": ["1 ms", { ms: 1 }],
  "update-database": ["one row into SQLite", { statement: "add-stock", params: { item: "tea", count: 5 } }],
});

const typesShape = z.object({ types: z.array(z.object({ type: z.string() })) });
const fileShape = z.object({ id: z.string() });

async function upload(service: Service, name: string, type: string, body: BodyInit): Promise<string> {
  const response = await fetch(`${service.origin}/v1/files?name=${name}`, {
    method: "POST",
    headers: { "content-type": type },
    body,
  });
  return fileShape.parse(await response.json()).id;
}

/** From `POST` until it has succeeded. */
async function roundTrip(service: Service, type: string, input: unknown): Promise<number> {
  const started = performance.now();
  const { id } = await service.submit(type, input);
  await service.succeeded(id);
  return performance.now() - started;
}

/** Tasks a second: some are always waiting, and all must succeed. */
async function rate(service: Service, type: string, input: unknown): Promise<number> {
  const before = await service.finished();
  const ids: string[] = [];
  const started = performance.now();
  while (performance.now() - started < seconds * 1_000) {
    if (ids.length - (await service.finished() - before) >= AHEAD) continue;
    const some = await Promise.all(Array.from({ length: 16 }, () => service.submit(type, input)));
    ids.push(...some.map(({ id }) => id));
  }
  await service.finishedAtLeast(before + ids.length);
  const took = performance.now() - started;
  for (const id of ids) await service.succeeded(id);
  return ids.length / (took / 1_000);
}

/** Bytes that the API process grows by when it loads the types: heap, and all. */
async function growth(): Promise<{ heap: number; rss: number }> {
  const rounds: { heap: number; rss: number }[] = [];
  for (let round = 0; round < 5; round++) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--v8-flags=--expose-gc", new URL("loading.ts", import.meta.url).pathname],
      stderr: "inherit",
    }).output();
    rounds.push(JSON.parse(new TextDecoder().decode(stdout)));
  }
  return { heap: median(rounds.map(({ heap }) => heap)), rss: median(rounds.map(({ rss }) => rss)) };
}

const lines = [["type", "input", "first task", "next ones, p50", "many at once"]];
{
  await using service = await Service.start({
    EGRESS_ALLOW: "127.0.0.0/8",
    SMTP_URL: `smtp://127.0.0.1:${address.port}?ignoreTLS=true`,
    MAIL_FROM: "errand@example.org",
    DATABASE_URL: `sqlite:${shop}`,
    STATEMENTS_FILE: `${folder}/statements.sql`,
  });
  const files = {
    photo: await upload(service, "photo.jpg", "image/jpeg", new Uint8Array(photo)),
    csv: await upload(service, "data.csv", "text/csv", csv),
  };
  const inputs = samples(files);
  const { types } = typesShape.parse(await (await fetch(`${service.origin}/v1/types`)).json());
  for (const { type } of types.filter(({ type }) => !/^(noop|cold\d)$/.test(type))) {
    if (only && !only.includes(type)) continue;
    const sample = inputs[type];
    if (!sample) throw new Error(`There is no input for ${type}.`);
    const [what, input] = sample;
    console.error(`measuring: ${type} …`);
    const cold = await roundTrip(service, type, input);
    const warm: number[] = [];
    for (let i = 0; i < WARM; i++) warm.push(await roundTrip(service, type, input));
    lines.push([
      type,
      what,
      milliseconds(cold),
      milliseconds(median(warm)),
      perSecond(await rate(service, type, input)),
    ]);
  }
}
await web.shutdown();
await new Promise<void>((closed) => smtp.close(closed));
await Deno.remove(folder, { recursive: true });

const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
const draw = (line: readonly string[]) => `| ${line.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
const [head, ...rest] = lines.map(draw);
console.log([head, draw(widths.map((width) => "-".repeat(width))), ...rest].join("\n") + "\n");
console.error("measuring: memory …");
const { heap, rss } = await growth();
const mib = (bytes: number) => bytes / 2 ** 20;
console.log(table([
  {
    measure: "MiB of heap for all types",
    figure: `${mib(heap).toFixed(1)} MiB`,
    ratio: mib(heap),
    aim: { atMost: 5 },
  },
  {
    measure: "MiB of memory (RSS)",
    figure: `${mib(rss).toFixed(1)} MiB`,
    ratio: mib(rss),
    aim: { atMost: 5 },
  },
], load!));
