import { z } from "zod";
import { type Checkpoint, CHECKPOINT_MAX } from "../checkpoint.ts";
import { type Answered, answered } from "./answer.ts";

const remembered = z.array(z.tuple([z.int(), answered]));

/** The answers that earlier attempts were given, by request. */
export function rememberedIn({ last }: Checkpoint): Map<number, Answered> {
  return new Map(remembered.safeParse(last).data);
}

/**
 * Leaves answers to the next attempt, as many as there is room for. Those that are files are asked for again, as files
 * go with the attempt that made them.
 */
export async function remember(
  answers: ReadonlyMap<number, Answered>,
  checkpoint: Checkpoint,
): Promise<void> {
  const kept: [number, Answered][] = [];
  let length = 2;
  for (const entry of answers) {
    if (entry[1].file !== undefined) continue;
    length += JSON.stringify(entry).length + 1;
    if (length > CHECKPOINT_MAX) break;
    kept.push(entry);
  }
  await checkpoint.save(kept);
}
