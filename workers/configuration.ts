/** What Errand's `deno.json` says, as a runner is told it. */
import meta from "../deno.json" with { type: "json" };

const ROOT = new URL("../", import.meta.url);

/**
 * Options of Deno's command line. Not the file itself: it would bring in whatever workspace Errand is a part of, and
 * there `errand` is the whole library. Here it is what task files need of it, by whichever name they call it: else
 * every runner would load the service, too, which it may not even read.
 */
export function configuration(): string[] {
  const imports: Record<string, string> = {};
  for (const [name, target] of Object.entries(meta.imports)) {
    if (target.startsWith("npm:")) {
      imports[name] = target;
      imports[`${name}/`] = `npm:/${target.slice(4)}/`;
    } else imports[name] = new URL(target, ROOT).href;
  }
  const face = new URL("tasks/mod.ts", ROOT).href;
  imports["errand"] = face;
  imports[new URL("mod.ts", ROOT).href] = face;
  const map = encodeURIComponent(JSON.stringify({ imports }));
  const unstable = meta.unstable.map((feature) => `--unstable-${feature}`);
  return ["--no-config", `--import-map=data:application/json,${map}`, ...unstable];
}
