import { z } from "zod";
import { nativePart } from "./lib/image/native.ts";
import { recipe } from "./lib/image/recipe.ts";
import { defineTask, guardedFetch, TaskFailure, type TaskFiles } from "./mod.ts";

/** Bytes of an image, as it is stored. */
const BYTES_MAX = 64 * 2 ** 20;
const FETCH_WITHIN = 30_000;

const sides = { width: z.int(), height: z.int() };

export default defineTask({
  description: "Resizes, turns, crops and marks an image, and stores it in several sizes and formats.",
  input: recipe.meta({
    examples: [{
      url: "https://example.com/photo.jpg",
      operations: [{ crop: { left: 0, top: 0, width: 800, height: 600 } }],
      outputs: [{ format: "webp", width: 400 }, { format: "jpeg", width: 800, quality: 85 }],
    }],
  }),
  result: z.strictObject({
    /** In the order in which they were asked for. */
    outputs: z.array(
      z.strictObject({
        file: z.uuid(),
        ...sides,
        bytes: z.int(),
        format: z.enum(["jpeg", "png", "webp", "avif"]),
      }),
    ),
    /** `width` and `height` as it is to be seen; `pages` where it is animated, of which the first was taken. */
    source: z.strictObject({ format: z.string(), ...sides, bytes: z.int(), pages: z.int().optional() }),
  }),
  permissions() {
    const native = nativePart();
    // The names are sharp's: it looks for them when it is loaded.
    return {
      net: true,
      env: ["MALLOC_ARENA_MAX", "npm_package_config_libvips"],
      ffi: native === undefined ? [] : [native],
    };
  },
  files: true,
  isolation: "process",
  // 50 megapixels take 200 MB before an operation, as much after it, and 1 GB to become a WebP.
  memory: 1_536,
  timeout: "2m",
  maxAttempts: 3,
  setup: async () => await (await import("./lib/image/sharpener.ts")).loadSharp(),
  async run(
    { file, url, operations, outputs, keepMetadata },
    { files, signal, progress, log, setup: sharp },
  ) {
    const [{ Canvas }, { encode, operate }, { Watermarks }] = await Promise.all([
      import("./lib/image/canvas.ts"),
      import("./lib/image/operations.ts"),
      import("./lib/image/watermark.ts"),
    ]);
    const steps = 1 + operations.length + outputs.length;
    let done = 0;
    const next = (message: string) => {
      signal.throwIfAborted();
      progress(++done, steps, message);
    };
    const { bytes, name } = file !== undefined ? await opened(file, files) : await fetched(url!, signal);
    signal.throwIfAborted();
    let { canvas, source: { pages, ...source } } = await Canvas.read(sharp, bytes, keepMetadata);
    next(`${source.width} × ${source.height}`);
    if (pages > 1) log.info(`It has ${pages} frames: the first is taken.`);

    const watermarks = new Watermarks(sharp, async (file) => (await opened(file, files)).bytes);
    for (const [i, operation] of operations.entries()) {
      canvas = await operate(canvas, operation, watermarks, `operations[${i}]`);
      next(Object.keys(operation)[0]!);
    }
    const made = [];
    for (const [i, output] of outputs.entries()) {
      const { data, width, height } = await encode(canvas, output, `outputs[${i}]`);
      const { format } = output;
      const options = {
        name: `${name}-${width}.${format === "jpeg" ? "jpg" : format}`,
        contentType: `image/${format}`,
      };
      const { file } = await files.write(data, options);
      made.push({ file, width, height, bytes: data.length, format });
      next(`${format}, ${width} × ${height}`);
    }
    return { outputs: made, source: { ...source, bytes: bytes.length, ...(pages > 1 && { pages }) } };
  },
});

interface Given {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Without what follows its last full stop. */
  readonly name: string;
}

/** @throws {TaskFailure} */
async function opened(id: string, files: TaskFiles): Promise<Given> {
  const file = await files.open(id);
  if (file.size > BYTES_MAX) {
    throw new TaskFailure("invalid_input", `An image has more than ${BYTES_MAX} bytes.`);
  }
  return { bytes: await file.bytes(), name: stem(file.name ?? "") };
}

/** @throws {TaskFailure} */
async function fetched(url: string, signal: AbortSignal): Promise<Given> {
  const answer = await guardedFetch(url, {
    signal,
    timeout: FETCH_WITHIN,
    maxBytes: BYTES_MAX,
    headers: { accept: "image/*" },
  });
  if (answer.status !== 200) {
    await answer.body.cancel();
    const { upstreamStatus } = await import("./lib/web/upstream.ts");
    throw upstreamStatus(new URL(answer.url).host, answer.status, answer.headers);
  }
  return {
    bytes: new Uint8Array(await answer.bytes()),
    name: stem(new URL(url).pathname.split("/").at(-1)!),
  };
}

function stem(name: string): string {
  return name.replace(/\.[^.]*$/, "") || "image";
}
