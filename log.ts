import { configureSync, getConsoleSink, getLogger, jsonLinesFormatter } from "@logtape/logtape";
import type { Log } from "./queue/log.ts";

const LEVELS = { debug: "debug", info: "info", warn: "warning", error: "error" } as const;

/** The operator's log: one JSON line an event, on the console. Values cannot break out of their line. */
export function createLog(level: keyof typeof LEVELS): Log {
  configureSync({
    reset: true,
    sinks: { console: getConsoleSink({ formatter: jsonLinesFormatter }) },
    loggers: [
      { category: "errand", lowestLevel: LEVELS[level], sinks: ["console"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["console"] },
    ],
  });
  const logger = getLogger("errand");
  // The message is data: its braces are no placeholders. Without facts they would not be read as such at all.
  return (level, message, facts) => logger[level](message.replace(/[{}]/g, "$&$&"), facts ?? {});
}
