import { TaskFailure } from "../failure.ts";

/** Whatever is thrown for a request names its host and no more: the rest of a URL may hold a secret. */
export function blocked(host: string, flaw: string): TaskFailure {
  return new TaskFailure("egress_blocked", `Not allowed: the URL of ${host} ${flaw}.`);
}

export function dnsFailure(host: string, cause?: unknown): TaskFailure {
  return new TaskFailure("dns_failure", `The name ${host} could not be resolved.`, {
    retryable: true,
    cause,
  });
}

export function connectFailure(host: string, what: string, cause: unknown): TaskFailure {
  return new TaskFailure("connect_failure", `${host} ${what}.`, { retryable: true, cause });
}

export function tlsFailure(host: string, cause: unknown): TaskFailure {
  return new TaskFailure("tls_failure", `No secure connection to ${host}.`, { cause });
}

export function upstreamTimeout(host: string, milliseconds: number): TaskFailure {
  const message = `${host} had not answered in full after ${milliseconds} ms.`;
  return new TaskFailure("upstream_timeout", message, { retryable: true });
}

export function tooManyRedirects(host: string, most: number): TaskFailure {
  return new TaskFailure("too_many_redirects", `${host} redirected more than ${most} times.`);
}

export function tooLarge(host: string, most: string): TaskFailure {
  return new TaskFailure("response_too_large", `${host} answered with more than ${most}.`);
}

export function unreadable(host: string, encoding: string, cause?: unknown): TaskFailure {
  const message = `${host} answered with a body that could not be read as ${encoding}.`;
  return new TaskFailure("unsupported_format", message, { cause });
}
