import { isIPv4 } from "node:net";
import { NEVER, PRIVATE } from "./address.ts";
import type { AllowList } from "./allow.ts";
import { without } from "./range.ts";

/**
 * The second wall: what `--deny-net` of a runner that may use the network is to name. The runtime checks it against
 * the address that it connects to, whichever code asks. It takes ranges of IPv4, but of IPv6 only single addresses:
 * the rest of IPv6 is the guard's alone. What `EGRESS_ALLOW` admits is left out; where it admits names, whose
 * addresses nobody knows beforehand, so is all that is private.
 */
export function deniedTargets(allow: AllowList): string[] {
  const ranges = allow.names.length > 0 ? NEVER : [...NEVER, ...PRIVATE];
  return ranges.flatMap((range) => {
    if (isIPv4(range.address)) {
      return without(range, allow.ranges).map(({ address, prefix }) => `${address}/${prefix}`);
    }
    return range.prefix === 128 && !allow.admitsAddress(range.address) ? [`[${range.address}]`] : [];
  });
}
