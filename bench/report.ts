/** Figures, and how they are shown. */

/** One line of the table. */
export interface Row {
  readonly measure: string;
  readonly figure: string;
  readonly ratio?: number | undefined;
  readonly aim?: Aim;
}

export interface Aim {
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** The value below which that share of the samples lies. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** A rate, in requests or tasks a second. */
export function perSecond(rate: number): string {
  return `${Math.round(rate).toLocaleString("en")}/s`;
}

export function milliseconds(time: number): string {
  return `${time.toFixed(time < 10 ? 2 : 0)} ms`;
}

/**
 * The machine, and then the rows as a Markdown table in columns.
 *
 * @param load what else kept the machine busy: the average before the bench began
 */
export function table(rows: readonly Row[], load: number): string {
  const head = ["measure", "figure", "ratio", "aim", "met?"];
  const lines = [head, ...rows.map(cells)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const draw = (line: readonly string[]) =>
    `| ${line.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const rule = draw(widths.map((width) => "-".repeat(width)));
  const [first, ...others] = lines.map(draw);
  return [`${machine()}, load before: ${load.toFixed(1)}`, "", first, rule, ...others].join("\n");
}

function cells({ measure, figure, ratio, aim }: Row): string[] {
  const { atLeast, atMost } = aim ?? {};
  const wanted = atLeast !== undefined ? `≥ ${atLeast}` : atMost !== undefined ? `≤ ${atMost}` : "";
  const met = ratio !== undefined && ratio >= (atLeast ?? -Infinity) && ratio <= (atMost ?? Infinity);
  return [measure, figure, ratio?.toFixed(2) ?? "", wanted, wanted === "" ? "" : met ? "yes" : "no"];
}

function machine(): string {
  const model = /^model name\s*: (.*)$/m.exec(read("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  const memory = Math.round(Deno.systemMemoryInfo().total / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  return `${navigator.hardwareConcurrency} CPUs (${model}), ${memory} GiB, Deno ${Deno.version.deno}, ${date}`;
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
