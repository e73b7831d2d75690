import { createRequire } from "node:module";

/** As in `deno.json`: the file's name has it. */
const VERSION = "0.35.5";

/**
 * The native part of sharp for this machine, which is all that its type may load. Deno knows where packages are without
 * reading a folder. `undefined` where there is none for this machine: the type is then unavailable, and its `setup` says
 * why.
 */
export function nativePart(): string | undefined {
  const { os, arch } = Deno.build;
  const platform = `${os === "windows" ? "win32" : os}-${arch === "x86_64" ? "x64" : "arm64"}`;
  try {
    const index = createRequire(import.meta.resolve("sharp")).resolve(`@img/sharp-${platform}/sharp.node`);
    return index.replace(/[^/\\]+$/, `lib/sharp-${platform}-${VERSION}.node`);
  } catch {
    return undefined;
  }
}
