const HOST = /^(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d+)?$/i;
/** The slash matters: `http://x?/v1/tasks` has no path. */
const URL_OF_HOST = /^[a-z+]+:\/\/(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d+)?\//i;

/**
 * Whether the request names a host that is one. Deno puts `Host` in front of the path as it came, so that
 * `Host: x/livez?` would be another path, and `Host: %zz` a URL that nothing can parse. The URL is looked at too, as
 * `GET http://…` overrides the header.
 */
export function namesHost({ headers, url }: Request): boolean {
  const host = headers.get("host");
  return (host === null || HOST.test(host)) && URL_OF_HOST.test(url);
}

const LOOPBACK = /^(?:(?:[\w-]+\.)*localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/i;
const URL_OF_LOOPBACK = /^[a-z+]+:\/\/(?:(?:[\w-]+\.)*localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?\//i;

/**
 * Whether the request names this machine itself. A page of any site can have its own name resolve to a loopback
 * address (DNS rebinding); the browser then takes us for that site, and lets the page read our answers. But it still
 * sends the site's name. Names under `localhost` always mean this machine (RFC 6761, 6.3).
 */
export function namesLoopback({ headers, url }: Request): boolean {
  const host = headers.get("host");
  return (host === null || LOOPBACK.test(host)) && URL_OF_LOOPBACK.test(url);
}

/** Without a query: it could end like this behind any path. */
const TAKES_JSON_ALONE = /^[a-z+]+:\/\/[^/?#]+\/v1\/tasks$/i;

/**
 * Whether the request comes from a page of another origin and could change something. Where no key is needed any
 * page could send it, though not read the answer. `POST /v1/tasks` is left alone, as it takes JSON alone, and for that
 * browsers ask first whether the page may (the Fetch standard's preflight), and are refused.
 */
export function isForged({ method, headers, url }: Request): boolean {
  if (method === "GET" || method === "HEAD" || TAKES_JSON_ALONE.test(url)) return false;
  const origin = headers.get("origin");
  return origin !== null && origin.replace(/^https?:\/\//, "") !== headers.get("host");
}
