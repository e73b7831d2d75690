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
