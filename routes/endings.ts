/** Functions to be called when a signal aborts. */

interface Ends {
  readonly all: Set<() => void>;
  readonly listener: () => void;
}

const listening = new WeakMap<AbortSignal, Ends>();

/**
 * Calls `end` when the signal aborts; at once where it has. One listener serves all: a key may have thousands of
 * requests open, and to remove one of so many listeners would take a look at each.
 *
 * @returns to be called where it is of no interest any more
 */
export function whenAborted(signal: AbortSignal | undefined, end: () => void): () => void {
  if (signal?.aborted) end();
  if (signal === undefined || signal.aborted) return () => {};
  const { all, listener } = listening.get(signal) ?? listen(signal);
  const mine = () => end();
  all.add(mine);
  return () => {
    if (!all.delete(mine) || all.size > 0) return;
    signal.removeEventListener("abort", listener);
    listening.delete(signal);
  };
}

function listen(signal: AbortSignal): Ends {
  const all = new Set<() => void>();
  const listener = () => all.forEach((end) => end());
  signal.addEventListener("abort", listener);
  const ends = { all, listener };
  listening.set(signal, ends);
  return ends;
}
