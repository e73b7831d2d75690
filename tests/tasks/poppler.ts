/** What other programs see in a PDF: those of poppler-utils. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What `pdfinfo` tells, by its names. */
export async function pdfinfo(path: string): Promise<Record<string, string>> {
  const { stdout } = await run("pdfinfo", ["-enc", "UTF-8", path]);
  return Object.fromEntries(stdout.trim().split("\n").map((line) => line.split(/:\s+/, 2)));
}

/** The text of one page, or of all. */
export async function pdftotext(path: string, page?: number): Promise<string> {
  const pages = page === undefined ? [] : ["-f", `${page}`, "-l", `${page}`];
  const { stdout } = await run("pdftotext", ["-enc", "UTF-8", "-layout", ...pages, path, "-"]);
  return stdout;
}

export interface Word {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly page: number;
}

/** Each word, and where it stands, in points. */
export async function words(path: string): Promise<Word[]> {
  const { stdout } = await run("pdftotext", ["-bbox", path, "-"], { maxBuffer: 2 ** 26 });
  let page = 0;
  return [...stdout.matchAll(/<page |<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)"[^>]*>([^<]*)</g)]
    .flatMap(
      ([, left, top, right, text]) => {
        if (text !== undefined) {
          return [{ text, left: Number(left), right: Number(right), top: Number(top), page }];
        }
        page++;
        return [];
      },
    );
}

/** The type of each image in it: `image`, or `smask` for its transparency. */
export async function pdfimages(path: string): Promise<string[]> {
  const { stdout } = await run("pdfimages", ["-list", path]);
  return stdout.trim().split("\n").slice(2).map((line) => line.trim().split(/\s+/)[2]!);
}

/** A page as a PNG. */
export async function pdftoppm(path: string, page: number): Promise<Uint8Array> {
  const args = ["-r", "72", "-png", "-singlefile", "-f", `${page}`, "-l", `${page}`, path];
  const { stdout } = await run("pdftoppm", args, { encoding: "buffer", maxBuffer: 2 ** 26 });
  return stdout;
}
