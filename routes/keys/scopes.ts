/** What a key may do. `admin` implies all the others. */
export const SCOPES = ["submit", "read", "cancel", "admin"] as const;

export type Scope = typeof SCOPES[number];

/** With what they imply. */
export function granted(scopes: Iterable<Scope>): ReadonlySet<Scope> {
  const given = new Set(scopes);
  return given.has("admin") ? new Set(SCOPES) : given;
}
