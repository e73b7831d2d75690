/** A service that is mounted below a path of another app: what it says of its own paths begins there. */
import { getPath } from "hono/utils/url";

/** A request's path within the app. */
export function pathBelow(base: string): (request: Request) => string {
  const { length } = decodeURI(base);
  return (request) => getPath(request).slice(length) || "/";
}

/** Headers name paths of the app alone, so they can be moved whatever they are the answer to. */
export async function moved(answer: Response | Promise<Response>, base: string): Promise<Response> {
  const response = await answer;
  const { headers } = response;
  const location = headers.get("location");
  if (location?.startsWith("/")) headers.set("location", base + location);
  const link = headers.get("link");
  if (link !== null) headers.set("link", link.replace(/(^|, *)<\//g, `$1<${base}/`));
  return response;
}
