import assert from "node:assert/strict";
import definition from "../../../tasks/process_file.ts";
import { TaskFailure } from "../../../tasks/mod.ts";
import { HandlerFiles } from "../../../workers/handler_files.ts";
import { RunFolder } from "../../../workers/run_folder.ts";
import { contextFor, perform, type Traces } from "../context.ts";

export interface Processed {
  file?: string;
  rows: number;
  skipped: { row: number; message: string }[];
  skippedCount: number;
  summary?: { columns: Record<string, unknown>[] };
  /** What is in the file that was made. */
  bytes: Uint8Array;
  text: string;
  made: { name: string | null; contentType: string } | undefined;
  context: Traces;
}

export interface Given {
  name?: string;
  contentType?: string;
}

/** Runs one task on one file, in a folder as a runner has it. */
export async function process(
  content: string | Uint8Array,
  input: Record<string, unknown>,
  { name, contentType = "application/octet-stream" }: Given = {},
  signal?: AbortSignal,
): Promise<Processed> {
  const path = await Deno.makeTempDir();
  try {
    const folder = new RunFolder(path);
    folder.create();
    await folder.begin(1);
    const file = crypto.randomUUID();
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(folder.given(1, file), bytes);
    await folder.describe(1, file, { name, contentType, size: bytes.length });
    let made: Processed["made"];
    const files = new HandlerFiles({ folder: path, max: 2 ** 30 }, 1, (_, name, contentType) => {
      made = { name, contentType };
    });
    const context = contextFor({ files, ...(signal && { signal }) });
    const given = input.url === undefined ? { file, ...input } : input;
    const result = await perform(definition, given, context) as Processed;
    const written = result.file ? Deno.readFileSync(`${path}/out/1/${result.file}`) : new Uint8Array();
    return { ...result, bytes: written, text: new TextDecoder().decode(written), made, context };
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}

/** As `process`, for what cannot be done. */
export async function failing(...args: Parameters<typeof process>): Promise<TaskFailure> {
  const failure = await process(...args).then(() => undefined, (error) => error);
  assert.ok(failure instanceof TaskFailure, `${failure}`);
  return failure;
}
