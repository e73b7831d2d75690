/** What tests of files share. */
import assert from "node:assert/strict";
import type { Service } from "./service.ts";

export interface FileView {
  readonly id: string;
  readonly size: number;
  readonly contentType: string;
  readonly sha256: string;
  readonly name?: string;
  readonly createdAt: string;
  readonly links: Readonly<Record<string, string>>;
}

export async function upload(
  service: Service,
  body: BodyInit,
  headers: Record<string, string> = {},
): Promise<FileView> {
  const answer = await fetch(`${service.url}/v1/files`, { method: "POST", body, headers });
  const file = await answer.json();
  assert.equal(answer.status, 201, JSON.stringify(file));
  return file;
}

/** `pieces` times a piece of 64 KiB that is different every time. */
export function pieces(count: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let i = 0;
  return new ReadableStream({
    pull(controller) {
      if (i === count) return controller.close();
      controller.enqueue(new Uint8Array(65_536).fill(++i));
    },
  });
}

/** All paths below a folder that are no folders. */
export function below(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
      isDirectory ? below(`${folder}/${name}`) : [`${folder}/${name}`]
    );
  } catch {
    return [];
  }
}
