import { z } from "zod";

/** Where the database is, as `DATABASE_URL` says. */
export type DatabaseAddress = PostgresAddress | SqliteAddress;

export interface PostgresAddress {
  kind: "postgres";
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** As libpq has it: `prefer` and `require` check no certificate, `verify-full` does. */
  sslmode: "disable" | "prefer" | "require" | "verify-full";
}

export interface SqliteAddress {
  kind: "sqlite";
  /** Relative to the folder that the service was started in, unless it is absolute. */
  path: string;
}

const parameters = z.strictObject({
  sslmode: z.enum(["disable", "prefer", "require", "verify-full"]).default("prefer"),
});
const EXPECTED = "DATABASE_URL must be postgres://user:password@host:5432/database or sqlite:./file";

/**
 * Reads `postgres://user:password@host:5432/database?sslmode=verify-full` or `sqlite:./file`.
 *
 * @throws {TypeError} without a word of the URL, which holds a password
 */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  // Three slashes, as others write it, are an absolute path.
  const path = /^sqlite:(?:\/\/(?=\/))?(?!\/\/|:memory:)([^\0?#,]+)$/.exec(text)?.[1];
  if (path) return { kind: "sqlite", path };
  const url = URL.parse(text);
  if (!url || !/^postgres(?:ql)?:$/.test(url.protocol) || !url.hostname || !url.username) {
    throw new TypeError(EXPECTED);
  }
  const options = parameters.safeParse(Object.fromEntries(url.searchParams));
  if (!options.success) {
    throw new TypeError("DATABASE_URL: its parameter is sslmode: disable, prefer, require or verify-full");
  }
  try {
    const user = decodeURIComponent(url.username);
    return {
      kind: "postgres",
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: Number(url.port) || 5432,
      user,
      password: decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.slice(1)) || user,
      ...options.data,
    };
  } catch {
    throw new TypeError(`${EXPECTED}, special characters percent-encoded`);
  }
}

/** `net` permission for this server and no other. */
export const netOf = ({ host, port }: PostgresAddress): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;
