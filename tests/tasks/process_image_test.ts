import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import sharp, { type Sharp } from "sharp";
import definition from "../../tasks/process_image.ts";
import { nativePart } from "../../tasks/lib/image/native.ts";
import { upload } from "../files.ts";
import { Service, type TaskView } from "../service.ts";
import { serving } from "./egress/servers.ts";
import { assertLooksLike } from "./pictures.ts";
import { pngOf } from "./pngs.ts";

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

interface Made {
  outputs: { file: string; width: number; height: number; bytes: number; format: string }[];
  source: { format: string; width: number; height: number; bytes: number; pages?: number };
}

/** Four quarters: red, green, blue, white. */
function quarters(width: number, height: number): Sharp {
  const [w, h] = [width / 2, height / 2];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <rect width="${w}" height="${h}" fill="#f00"/><rect x="${w}" width="${w}" height="${h}" fill="#0f0"/>
    <rect y="${h}" width="${w}" height="${h}" fill="#00f"/><rect x="${w}" y="${h}" width="${w}" height="${h}" fill="#fff"/>
  </svg>`;
  return sharp(new TextEncoder().encode(svg)).flatten();
}

/** Which of the four colours are at a quarter and three quarters of each side: top left, top right, and below. */
async function seen(image: Uint8Array): Promise<string> {
  const { data, info } = await sharp(image).flatten().toColourspace("srgb").raw().toBuffer({
    resolveWithObject: true,
  });
  const at = (x: number, y: number) => {
    const start = (Math.floor(y * info.height) * info.width + Math.floor(x * info.width)) * info.channels;
    const [r, g, b] = data.subarray(start, start + 3) as unknown as [number, number, number];
    return `${r > 128 ? 1 : 0}${g > 128 ? 1 : 0}${b > 128 ? 1 : 0}`;
  };
  const names: Record<string, string> = { "100": "R", "010": "G", "001": "B", "111": "W", "000": "-" };
  return [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]].map(([x, y]) => names[at(x!, y!)] ?? "?")
    .join("");
}

Deno.test("images, made by the service and read by other programs", async (t) => {
  await using service = await Service.start({ EGRESS_ALLOW: "127.0.0.0/8,::1" });
  const stored = async (bytes: Uint8Array, name?: string) => {
    const headers: Record<string, string> = name
      ? { "content-disposition": `attachment; filename=${name}` }
      : {};
    return (await upload(service, new Uint8Array(bytes), headers)).id;
  };
  const answered = async (task: TaskView) => {
    assert.equal(task.status, "succeeded", JSON.stringify(task.error));
    const { outputs, source } = task.result as Made;
    const images = await Promise.all(outputs.map(async ({ file }) => {
      const answer = await fetch(`${service.url}/v1/files/${file}`);
      const disposition = answer.headers.get("content-disposition");
      return { bytes: await answer.bytes(), type: answer.headers.get("content-type"), disposition };
    }));
    return { outputs, source, images };
  };
  const process = async (bytes: Uint8Array, more: Record<string, unknown> = {}) => {
    const input = { file: await stored(bytes), outputs: [{ format: "png" }], ...more };
    return await answered(await service.run("process-image", input));
  };
  const one = async (bytes: Uint8Array, ...operations: unknown[]) =>
    (await process(bytes, { operations })).images[0]!.bytes;
  const fails = async (
    code: string,
    message: RegExp,
    bytes: Uint8Array,
    more: Record<string, unknown> = {},
  ) => {
    const input = { file: await stored(bytes), outputs: [{ format: "png" }], ...more };
    const { error } = await service.run("process-image", input);
    assert.deepEqual([error?.code, error?.retryable], [code, false], JSON.stringify(error));
    assert.match(error!.message, message);
  };
  const png = await quarters(400, 200).png().toBuffer();

  await t.step("several sizes and formats come of one image", async () => {
    const file = await stored(await quarters(1200, 800).jpeg().toBuffer(), "holiday.2030.jpeg");
    const task = await service.run("process-image", {
      file,
      outputs: [
        { format: "jpeg", width: 600, quality: 90 },
        { format: "webp", height: 100 },
        { format: "avif", width: 90, height: 10_000 },
        { format: "png", width: 16_000 },
      ],
    });
    const { outputs, source, images } = await answered(task);
    assert.deepEqual(source, { format: "jpeg", width: 1200, height: 800, bytes: source.bytes });
    assert.deepEqual(
      outputs.map(({ format, width, height }) => [format, width, height]),
      [["jpeg", 600, 400], ["webp", 150, 100], ["avif", 90, 60], ["png", 1200, 800]],
    );
    assert.deepEqual(task.progress && [task.progress.current, task.progress.total], [5, 5]);
    for (const [i, { bytes, type, disposition }] of images.entries()) {
      const { format, width, height, bytes: size } = outputs[i]!;
      const path = `${service.dataDir}/image`;
      Deno.writeFileSync(path, bytes);
      assert.equal((await run("file", ["--brief", "--mime-type", path])).stdout.trim(), type);
      assert.equal(type, `image/${format}`);
      assert.match(disposition!, new RegExp(`holiday\\.2030-${width}\\.${format.replace("jpeg", "jpg")}`));
      assert.equal(bytes.length, size);
      const about = await sharp(bytes).metadata();
      assert.deepEqual([about.width, about.height], [width, height]);
      assert.equal(await seen(bytes), "RGBW");
    }
  });
  for (
    const [what, operation, size, colours] of [
      ["nothing", undefined, [400, 200], "RGBW"],
      ["crop", { crop: { left: 200, top: 0, width: 200, height: 200 } }, [200, 200], "GGWW"],
      ["rotate", { rotate: 90 }, [200, 400], "BRWG"],
      ["rotate back", { rotate: -90 }, [200, 400], "GWRB"],
      ["rotate a little", { rotate: 5 }, [416, 234], "RGBW"],
      ["flip horizontally", { flip: "horizontal" }, [400, 200], "GRWB"],
      ["flip vertically", { flip: "vertical" }, [400, 200], "BWRG"],
      ["blur", { blur: 3 }, [400, 200], "RGBW"],
      ["sharpen", { sharpen: 2 }, [400, 200], "RGBW"],
      ["grayscale", { grayscale: true }, [400, 200], "-W-W"],
      ["tint", { tint: "#ff0000" }, [400, 200], "?"],
      ["resize by width", { resize: { width: 100 } }, [100, 50], "RGBW"],
      ["resize into a box", { resize: { width: 100, height: 100 } }, [100, 50], "RGBW"],
      ["resize around a box", { resize: { width: 100, height: 100, fit: "outside" } }, [200, 100], "RGBW"],
      ["resize to cover", { resize: { width: 100, height: 100, fit: "cover" } }, [100, 100], "RGBW"],
      ["resize by force", { resize: { width: 50, height: 150, fit: "fill" } }, [50, 150], "RGBW"],
      ["resize and fill up", { resize: { width: 100, height: 200, fit: "contain", background: "#000" } }, [
        100,
        200,
      ], "?"],
      ["no enlargement", { resize: { width: 800 } }, [400, 200], "RGBW"],
      ["enlargement", { resize: { width: 800, enlarge: true } }, [800, 400], "RGBW"],
    ] as const
  ) {
    await t.step(`${what} does what it says`, async () => {
      const bytes = await one(png, ...operation ? [operation] : []);
      const { width, height } = await sharp(bytes).metadata();
      assert.deepEqual([width, height], size);
      if (colours !== "?") assert.equal(await seen(bytes), colours);
    });
  }
  await t.step("operations happen in their order", async () => {
    const crop = { crop: { left: 0, top: 0, width: 200, height: 100 } };
    assert.equal(await seen(await one(png, { rotate: 180 }, crop)), "WWWW");
    assert.equal(await seen(await one(png, crop, { rotate: 180 })), "RRRR");
    const gray = await one(png, { flip: "horizontal" }, { grayscale: true }, { rotate: 90 }, {
      resize: { width: 50 },
    }, {
      watermark: { text: "é 中 😀", color: "#f00", opacity: 1, size: 1, position: "center" },
    });
    const { width, height } = await sharp(gray).metadata();
    assert.deepEqual([width, height], [50, 100]);
  });
  await t.step("blur takes contrast away, and sharpen adds some", async () => {
    const noise = await sharp({
      create: {
        width: 100,
        height: 100,
        channels: 3,
        background: "#888",
        noise: { type: "gaussian", mean: 128, sigma: 20 },
      },
    }).png().toBuffer();
    const spread = async (image: Uint8Array) => (await sharp(image).stats()).channels[0]!.stdev;
    const [plain, blurred, sharpened] = await Promise.all(
      [noise, await one(noise, { blur: 3 }), await one(noise, { sharpen: 1 })].map(spread),
    );
    assert.ok(blurred! < plain! / 2 && sharpened! > plain!, `${blurred} < ${plain} < ${sharpened}`);
  });
  await t.step(
    "watermarks are where they should be, and look as they did when somebody looked at them",
    async () => {
      const logo = await stored(
        await sharp({ create: { width: 50, height: 50, channels: 4, background: "#00ff00ff" } }).png()
          .toBuffer(),
      );
      const gray = await sharp({ create: { width: 400, height: 300, channels: 3, background: "#444444" } })
        .png().toBuffer();
      const bytes = await one(
        gray,
        { watermark: { text: "© Ada Lovelace é 中文 😀", size: 0.6 } },
        {
          watermark: { text: "<DRAFT & co>", size: 0.9, position: "center", opacity: 0.25, color: "#ff0000" },
        },
        { watermark: { file: logo, size: 0.2, position: "top-left", opacity: 1 } },
      );
      await assertLooksLike("watermarks", bytes);
      const logoIn = { left: 8, top: 8, width: 70, height: 70 };
      const { channels } = await sharp(await sharp(bytes).removeAlpha().extract(logoIn).png().toBuffer())
        .stats();
      assert.deepEqual(channels.map(({ mean }) => Math.round(mean)), [0, 255, 0]);
    },
  );
  await t.step("a watermark as wide as the image, or higher than it, fits", async () => {
    const tall = await stored(
      await sharp({ create: { width: 10, height: 500, channels: 3, background: "#00f" } }).png().toBuffer(),
    );
    for (const position of ["top", "bottom", "left", "right", "bottom-left", "top-right"]) {
      const mark = { size: 1, position };
      await one(png, { watermark: { file: tall, ...mark } }, { watermark: { text: "x", ...mark } });
    }
  });
  await t.step("an image is turned as its EXIF says, and loses what else it says", async () => {
    const photo = await quarters(400, 200).jpeg().withExif({
      IFD0: { Copyright: "canary" },
      IFD3: { GPSLatitude: "52/1 31/1 0/1" },
    }).withMetadata({ orientation: 6 }).toBuffer();
    assert.match(new TextDecoder("latin1").decode(photo), /canary/);
    const all = [{ format: "jpeg" }, { format: "png" }, { format: "webp" }, { format: "avif" }];
    const stripped = await process(photo, { outputs: all });
    assert.deepEqual([stripped.source.width, stripped.source.height], [200, 400]);
    for (const { bytes } of stripped.images) {
      const { width, height, exif, icc, xmp, orientation } = await sharp(bytes).metadata();
      assert.deepEqual({ width, height, exif, icc, xmp, orientation }, {
        width: 200,
        height: 400,
        exif: undefined,
        icc: undefined,
        xmp: undefined,
        orientation: undefined,
      });
      assert.doesNotMatch(new TextDecoder("latin1").decode(bytes), /canary/);
      assert.equal(await seen(bytes), "BRWG");
    }
    const kept = await process(photo, {
      outputs: all,
      keepMetadata: true,
      operations: [{ flip: "horizontal" }, { grayscale: true }],
    });
    for (const { bytes } of kept.images) {
      const { width, height, exif, orientation = 1 } = await sharp(bytes).metadata();
      assert.deepEqual([width, height, orientation], [200, 400, 1]);
      assert.match(new TextDecoder("latin1").decode(exif), /canary/);
    }
  });
  await t.step("of what moves the first frame is taken", async () => {
    const frames = [quarters(40, 40), quarters(40, 40).negate()];
    const strip = await sharp(await Promise.all(frames.map((frame) => frame.png().toBuffer())), {
      join: { animated: true },
    })
      .gif().toBuffer();
    const { source, images } = await process(strip);
    assert.deepEqual([source.format, source.pages, source.height], ["gif", 2, 40]);
    assert.equal(await seen(images[0]!.bytes), "RGBW");
  });
  await t.step("what is no image, or of no kind that is read, is refused", async () => {
    const text = (text: string) => new TextEncoder().encode(text);
    const svg =
      `<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><image href="file:///etc/passwd"/></svg>`;
    const tiff = await quarters(10, 10).tiff().toBuffer();
    for (
      const bytes of [
        text(""),
        text("hello"),
        text(svg),
        text(`<?xml version="1.0"?>${svg}`),
        text("%PDF-1.7"),
        text("BM"),
        tiff,
      ]
    ) {
      await fails("unsupported_format", /JPEG, PNG, WebP, AVIF or GIF/, bytes);
    }
    await fails("unsupported_format", /JPEG, PNG/, png, {
      operations: [{ watermark: { file: await stored(text(svg)) } }],
    });
  });
  await t.step("what is broken, or promises what it does not hold, is refused", async () => {
    const jpeg = await quarters(400, 200).jpeg().toBuffer();
    for (
      const whole of [
        png,
        jpeg,
        await quarters(400, 200).webp().toBuffer(),
        await quarters(400, 200).avif().toBuffer(),
      ]
    ) {
      await fails("invalid_input", /broken/, whole.subarray(0, whole.length / 2));
      await fails("invalid_input", /broken/, whole.subarray(0, 40));
    }
    const flipped = new Uint8Array(png);
    flipped.fill(0xaa, png.length / 2, png.length / 2 + 50);
    await fails("invalid_input", /broken/, flipped);
    // An SVG behind the first bytes of a PNG.
    const svg = new TextEncoder().encode(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>`);
    await fails("invalid_input", /broken/, new Uint8Array([...png.subarray(0, 8), ...svg]));
  });
  await t.step("bombs do no harm", async () => {
    const gif = Uint8Array.from([
      ...new TextEncoder().encode("GIF89a"),
      255,
      255,
      255,
      255,
      0,
      0,
      0,
      0x2c,
      0,
      0,
      0,
      0,
      255,
      255,
      255,
      255,
      0,
      2,
      0,
      0x3b,
    ]);
    const square = pngOf(50_000, 50_000, new Uint8Array(100 << 20));
    const high = pngOf(1_000, 60_000, new Uint8Array(60 << 20));
    const watched = service.watch();
    await fails("invalid_input", /50000 × 50000|too many pixels/, square);
    await fails("invalid_input", /too many pixels|× 60000/, high);
    await fails("invalid_input", /too many pixels|65535|broken/, gif);
    await watched();
  });
  await t.step("what hides behind an image does not get through", async () => {
    const hidden = new TextEncoder().encode("<script>alert(1)</script>PK\x03\x04");
    for (const format of ["gif", "png", "jpeg"] as const) {
      const image = await quarters(40, 40).toFormat(format).toBuffer();
      const { images } = await process(new Uint8Array([...image, ...hidden]), {
        outputs: [{ format: "png" }, { format: "jpeg" }],
        keepMetadata: true,
      });
      for (const { bytes } of images) {
        assert.doesNotMatch(new TextDecoder("latin1").decode(bytes), /script|alert/);
        assert.equal(await seen(bytes), "RGBW");
      }
    }
  });
  await t.step("what cannot be done with it is refused, naming the place", async () => {
    const crop = { crop: { left: 300, top: 0, width: 200, height: 10 } };
    await fails("invalid_input", /operations\[1\] is not within.*400 × 200/, png, {
      operations: [{ blur: 1 }, crop],
    });
    const thin = await sharp({ create: { width: 16_000, height: 2, channels: 3, background: "#000" } }).png()
      .toBuffer();
    await fails("invalid_input", /operations\[0\] would make it .*16383 a side/, thin, {
      operations: [{ rotate: 45 }],
    });
    const enlarge = { resize: { height: 16_000, enlarge: true } };
    await fails("invalid_input", /operations\[0\] would make it/, thin, { operations: [enlarge] });
    const large = await sharp({ create: { width: 5_000, height: 4_000, channels: 3, background: "#000" } })
      .png().toBuffer();
    await fails("invalid_input", /outputs\[1\].*AVIF/, large, {
      outputs: [{ format: "jpeg" }, { format: "avif" }],
    });
  });
  await t.step("an image is fetched by its URL, through the guard", async () => {
    const jpeg = await quarters(400, 200).jpeg().toBuffer();
    const handler = (_: Request, { pathname }: URL) => {
      if (pathname === "/a.photo.jpg") return new Response(jpeg);
      if (pathname === "/moved") {
        return new Response(null, { status: 302, headers: { location: "/a.photo.jpg" } });
      }
      if (pathname === "/inside") {
        return new Response(null, { status: 302, headers: { location: "http://10.0.0.1/" } });
      }
      if (pathname === "/page") return new Response("<html>", { headers: { "content-type": "image/jpeg" } });
      if (pathname === "/busy") return new Response("no", { status: 503 });
      return new Response("no", { status: 404 });
    };
    await serving(handler, async (origin) => {
      const input = (path: string) => ({ url: origin + path, outputs: [{ format: "png" }] });
      for (const path of ["/a.photo.jpg", "/moved"]) {
        const { images, outputs } = await answered(await service.run("process-image", input(path)));
        assert.equal(outputs[0]!.width, 400);
        assert.match(images[0]!.disposition!, path === "/moved" ? /moved-400\.png/ : /a\.photo-400\.png/);
      }
      const { error } = await service.run("process-image", input("/gone"));
      assert.deepEqual([error?.code, error?.retryable, error?.details], ["upstream_status", false, {
        status: 404,
      }]);
      const busy = await service.run("process-image", input("/busy"), { maxAttempts: 1 });
      assert.deepEqual([busy.error?.code, busy.error?.retryable], ["upstream_status", true]);
      assert.equal((await service.run("process-image", input("/page"))).error?.code, "unsupported_format");
      assert.equal((await service.run("process-image", input("/inside"))).error?.code, "egress_blocked");
    });
    const refused = await service.call("POST", "/v1/tasks", {
      type: "process-image",
      input: { url: "http://10.0.0.1/x.png", outputs: [{ format: "png" }] },
    });
    assert.equal(refused.status, 422);
    assert.match(await refused.text(), /#\/input\/url/);
  });
  await t.step("it can be cancelled, and the next one is made", async () => {
    const large = await stored(
      await sharp({ create: { width: 5_000, height: 4_000, channels: 3, background: "#000" } }).png()
        .toBuffer(),
    );
    const id = await service.submit("process-image", {
      file: large,
      operations: Array(20).fill({ blur: 50 }),
      outputs: [{ format: "png" }],
    });
    await service.reached(id, "running");
    await service.cancel(id);
    assert.equal((await service.final(id)).status, "cancelled");
    await one(png);
  });
});

Deno.test("only bytes in memory are read, and of few formats", async () => {
  const { stdout } = await run(Deno.execPath(), ["run", "-A", here("image/blocked.ts")]);
  assert.deepEqual(JSON.parse(stdout), {
    png: true,
    jpeg: true,
    webp: true,
    avif: true,
    gif: true,
    tiff: false,
    path: false,
    svg: false,
    svgOfOurs: true,
    svgAfterwards: false,
  });
});

Deno.test("its runner may load one native file, and nothing else of the disk", () => {
  const { permissions } = definition;
  assert.ok(typeof permissions === "function");
  const { ffi, read, write } = permissions({ env: {} });
  assert.deepEqual([ffi, read, write], [[nativePart()], undefined, undefined]);
  assert.ok(Deno.statSync(nativePart()!).isFile);
  // What it loads besides is told by the file itself.
  assert.match(nativePart()!, /[/\\]@img[/\\]sharp-[\w-]+[/\\].*\.node$/);
});

Deno.test("where there is no native part, the type says so, and the others work", async () => {
  await using service = await Service.start({ TASKS_DIR: here("image/types") });
  const { error } = await service.run("no-native", {}, { maxAttempts: 1 });
  assert.equal(error?.code, "handler_load_failed");
  assert.match(
    error!.message,
    /Images cannot be processed on this machine \(\w+, \w+\): Could not load the "sharp" module/,
  );
  const { status, notices } = await service.ready();
  assert.equal(status, "ok");
  assert.match(notices!.join(), /no-native is unavailable/);
  assert.equal((await service.run("sleep", { ms: 1 })).status, "succeeded");
});

for (
  const [what, input, path, message] of [
    ["neither file nor URL", { outputs: [{ format: "png" }] }, "", /file or a url/],
    [
      "both file and URL",
      { file: crypto.randomUUID(), url: "https://example.com/x", outputs: [{ format: "png" }] },
      "",
      /file or a url/,
    ],
    ["no outputs", { file: crypto.randomUUID(), outputs: [] }, "outputs", /1 item/],
    [
      "a format that is not written",
      { file: crypto.randomUUID(), outputs: [{ format: "svg" }] },
      "outputs.0.format",
      /jpeg/,
    ],
    [
      "a quality for a format that has none",
      { file: crypto.randomUUID(), outputs: [{ format: "png", quality: 5 }] },
      "outputs.0.quality",
      /every pixel/,
    ],
    [
      "two operations in one",
      { file: crypto.randomUUID(), outputs: [{ format: "png" }], operations: [{ blur: 1, rotate: 5 }] },
      "operations.0",
      /one operation/,
    ],
    [
      "an operation that nobody knows",
      { file: crypto.randomUUID(), outputs: [{ format: "png" }], operations: [{ explode: 1 }] },
      "operations.0",
      /explode/,
    ],
    [
      "a resize to nothing",
      { file: crypto.randomUUID(), outputs: [{ format: "png" }], operations: [{ resize: {} }] },
      "operations.0.resize",
      /width or a height/,
    ],
    [
      "a watermark of nothing",
      { file: crypto.randomUUID(), outputs: [{ format: "png" }], operations: [{ watermark: {} }] },
      "operations.0.watermark",
      /text or a file/,
    ],
    [
      "a colour that is markup",
      {
        file: crypto.randomUUID(),
        outputs: [{ format: "png" }],
        operations: [{ watermark: { text: "x", color: `"/><script>` } }],
      },
      "operations.0.watermark.color",
      /colour/,
    ],
    ["a local file", { url: "file:///etc/passwd", outputs: [{ format: "png" }] }, "url", /https/],
  ] as const
) {
  Deno.test(`an image with ${what} is refused, naming the place`, () => {
    const issue = definition.input.safeParse(input).error?.issues[0];
    assert.equal(issue?.path.join("."), path);
    assert.match(JSON.stringify(issue), message);
  });
}
