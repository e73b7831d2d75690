/** Milliseconds of work in one go. */
const SLICE = 5;

/** Does the work for each of many, and lets others have their turn in between. */
export async function inTurns<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => R | Promise<R>,
): Promise<R[]> {
  const done: R[] = [];
  let since = performance.now();
  for (const [index, item] of items.entries()) {
    if (performance.now() - since > SLICE) {
      // Not `setImmediate`: on Deno 2.9 nothing that comes over the network is looked at between two of those.
      await new Promise((resolve) => setTimeout(resolve, 0));
      since = performance.now();
    }
    done.push(await work(item, index));
  }
  return done;
}
