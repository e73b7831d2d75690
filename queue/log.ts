/** One line for the operator; facts are data, and stay apart from the message. */
export type Log = (
  level: "debug" | "info" | "warn" | "error",
  message: string,
  facts?: Record<string, unknown>,
) => void;
