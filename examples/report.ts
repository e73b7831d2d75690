/**
 * One story from end to end: a CSV file becomes a report in PDF in somebody's mailbox.
 *
 *   deno task start &
 *   deno run --allow-net --allow-env --allow-read examples/report.ts examples/sales.csv ada@example.com
 *
 * See report.md, beside it. ERRAND_URL and ERRAND_KEY say where the service is and who is asking.
 */
import { createClient, ErrandProblem, type InputOf, UnsuccessfulTask } from "errand/client";

/** What the service can do, by its task files: inputs and results below are checked against them. */
type Tasks = {
  "process-file": typeof import("../tasks/process_file.ts").default;
  "generate-pdf": typeof import("../tasks/generate_pdf.ts").default;
  "send-email": typeof import("../tasks/send_email.ts").default;
};

interface Sale {
  readonly day: string;
  readonly country: string;
  readonly amount: number;
}

const [path, to] = Deno.args;
if (path === undefined || to === undefined) throw new TypeError("Usage: report.ts sales.csv ada@example.com");

const client = createClient<Tasks>({
  url: Deno.env.get("ERRAND_URL") ?? "http://127.0.0.1:8000",
  key: Deno.env.get("ERRAND_KEY"),
});
/** The one before, so that each task says what it follows from. */
let parent: string | undefined;

try {
  await upload(path).then(summarise).then(draw).then(mail);
} catch (error) {
  if (!(error instanceof ErrandProblem || error instanceof UnsuccessfulTask)) throw error;
  console.error(`${error.code}: ${error.message}`);
  Deno.exit(1);
}

/** 1. The file goes up once; tasks name it by its id. */
async function upload(path: string): Promise<string> {
  const { id } = await client.files.upload(await Deno.readFile(path), {
    name: path.split("/").at(-1)!,
    contentType: "text/csv",
  });
  return id;
}

/** 2. Rows with types, and what they hold, without what does not fit. */
async function summarise(file: string): Promise<{ sales: Sale[]; mean: number; skipped: number }> {
  const result = await run("process-file", {
    file,
    to: "json",
    columns: [
      { name: "Day", as: "day", type: "date" },
      { name: "Country", as: "country" },
      { name: "Amount", as: "amount", type: "number" },
    ],
    summarize: true,
  });
  const sales: Sale[] = await (await client.files.download(result.file!)).json();
  const mean = result.summary!.columns.find(({ name }) => name === "amount")!.mean!;
  for (const { row, message } of result.skipped) console.log(`  row ${row} ${message}`);
  return { sales, mean, skipped: result.skippedCount };
}

/** 3. A chart and a table of it, in a PDF. */
async function draw({ sales, mean, skipped }: Awaited<ReturnType<typeof summarise>>): Promise<string> {
  const months = [...new Set(sales.map(({ day }) => day.slice(0, 7)))].sort();
  const countries = [...new Set(sales.map(({ country }) => country))].sort();
  const sum = (month: string, country: string) =>
    sales.filter((each) => each.country === country && each.day.startsWith(month))
      .reduce((sum, { amount }) => sum + amount, 0);
  const money = { format: "currency", currency: "EUR" } as const;
  const { file } = await run("generate-pdf", {
    title: "Sales",
    sections: [
      {
        text: `${sales.length} sales, ${mean.toFixed(2)} EUR on average; ${skipped} rows could not be read.`,
      },
      {
        heading: "By month and country",
        chart: {
          kind: "bar",
          stacked: true,
          ...money,
          labels: months,
          series: countries.map((name) => ({ name, values: months.map((month) => sum(month, name)) })),
        },
      },
      {
        table: {
          columns: [{ header: "Month" }, ...countries.map((header) => ({ header, ...money }))],
          rows: months.map((month) => [month, ...countries.map((country) => sum(month, country))]),
        },
      },
    ],
  });
  return file;
}

/** 4. The PDF goes out. Where the mail server is busy, the task is tried again; nobody here has to wait for that. */
async function mail(file: string): Promise<void> {
  const pdf = await (await client.files.download(file)).bytes();
  const { accepted, outbox } = await run("send-email", {
    to: [to!],
    subject: "Sales",
    text: "The report is attached.",
    attachments: [{ filename: "sales.pdf", contentType: "application/pdf", content: pdf.toBase64() }],
  });
  console.log(outbox ? `Written to data/outbox/${outbox}` : `Sent to ${accepted.join(", ")}`);
}

/** Has something done, and waits for what comes of it. */
async function run<Type extends keyof Tasks>(type: Type, input: InputOf<Tasks[Type]>) {
  const task = await client.tasks.submit<Type>(type, input, { parent });
  parent = task.id;
  const result = await task.result();
  console.log(`${type} ${task.id}`);
  return result;
}
