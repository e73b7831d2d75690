/** What is made of what a runner says, or of its death. Pure. */
import type { Token } from "../queue/store.ts";
import type { Failure, Outcome, StopReason } from "../queue/outcome.ts";
import type { Innocence } from "./messages.ts";

type OnCrash = "retry" | "fail";

/** @param asked what the run was told to stop for: nobody else may say that it was stopped */
export function failed(
  token: Token,
  failure: Failure,
  asked: StopReason | undefined,
  onCrash: OnCrash,
): Outcome {
  const { code } = failure;
  if (code === "cancelled" || code === "shutdown_aborted") {
    if (code !== asked) return { token, as: "failed", failure: { ...failure, code: "handler_error" } };
    return code === "shutdown_aborted" && onCrash === "fail"
      ? unknown(token)
      : { token, as: "failed", failure };
  }
  const guess = failure.crash || code === "timeout";
  const never = guess && onCrash === "fail";
  return { token, as: "failed", failure: never ? { ...failure, retryable: false } : failure };
}

/** It runs again without paying, unless it had begun and must never be done twice by guess. */
export function released(token: Token, as: Innocence, onCrash: OnCrash): Outcome {
  if (onCrash === "fail" && as !== "unstarted") return unknown(token);
  return { token, as: "released", alone: as === "suspect" };
}

function unknown(token: Token): Outcome {
  const message = "Its worker ended; whether the work was done is unknown.";
  return { token, as: "failed", failure: { code: "outcome_unknown", message, retryable: false } };
}
