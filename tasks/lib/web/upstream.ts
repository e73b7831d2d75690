import { retryAfterOf } from "../egress/retry_after.ts";
import { TaskFailure } from "../failure.ts";

/** Statuses that another attempt may change: RFC 9110 section 15, RFC 6585 section 4, RFC 8470 section 5.2. */
export function mayChange(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500;
}

/** `upstream_status`, with what the answer asks to wait. */
export function upstreamStatus(host: string, status: number, headers: Headers): TaskFailure {
  return new TaskFailure("upstream_status", `${host} answered ${status}.`, {
    retryable: mayChange(status),
    retryAfter: retryAfterOf(headers),
    details: { status },
  });
}
