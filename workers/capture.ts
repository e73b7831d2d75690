import type { AsyncLocalStorage } from "node:async_hooks";
import type { LogLevel } from "./messages.ts";

const LEVELS: Readonly<Record<string, LogLevel>> = {
  debug: "debug",
  log: "info",
  info: "info",
  warn: "warn",
  error: "error",
  trace: "debug",
};

export interface CaptureEar<Run> {
  wrote(run: Run, level: LogLevel, message: string): void;
  /** @param run `undefined` where it is unknown whose error this is */
  uncaught(run: Run | undefined, error: unknown): void;
}

/** Takes up what would be lost, and finds out whose it is: `console`, floating rejections, throwing timers. */
export function capture<Run>(current: AsyncLocalStorage<Run>, ear: CaptureEar<Run>): void {
  for (const [name, level] of Object.entries(LEVELS)) {
    (console as unknown as Record<string, unknown>)[name] = (...parts: unknown[]) => {
      const run = current.getStore();
      if (run === undefined) return;
      ear.wrote(run, level, parts.map((p) => typeof p === "string" ? p : Deno.inspect(p)).join(" "));
    };
  }
  let thrower: Run | undefined;
  // The `error` event of a timer knows nothing of the run that set it: it is noted here.
  const noting = (original: (...args: unknown[]) => unknown) => (callback: unknown, ...args: unknown[]) => {
    const run = current.getStore();
    if (run === undefined || typeof callback !== "function") return original(callback, ...args);
    return original((...given: unknown[]) => {
      try {
        return callback(...given);
      } catch (error) {
        thrower = run;
        throw error;
      }
    }, ...args);
  };
  for (const name of ["setTimeout", "setInterval", "setImmediate"] as const) {
    const value = noting(globalThis[name] as unknown as (...args: unknown[]) => unknown);
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
  self.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    ear.uncaught(current.getStore(), event.reason);
  });
  self.addEventListener("error", (event) => {
    event.preventDefault();
    ear.uncaught(thrower ?? current.getStore(), event.error);
    thrower = undefined;
  });
}
