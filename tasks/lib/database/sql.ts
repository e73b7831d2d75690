/** Finds the places of parameters in SQL that the operator wrote, and nothing else: the database reads the rest. */

export type Dialect = "postgres" | "sqlite";

/** One SQL command whose `:name`s have become the database's own places. */
export interface Command {
  readonly text: string;
  /** What is bound to the first place, the second … */
  readonly names: readonly string[];
}

/** What must not be looked into comes first; a name inside of it is text. */
const TOKEN = new RegExp(
  [
    /(?<quoted>[eE]'(?:\\[^]|''|[^'\\])*'|'(?:''|[^'])*'|"(?:""|[^"])*"|`(?:``|[^`])*`)/u,
    // A tag that matched nothing is the empty one: `$$ … $$`.
    /(?<dollars>\$(?<tag>[A-Za-z_]\w*)?\$[^]*?\$\k<tag>\$)/u,
    /(?<comment>--[^\n]*|\/\*[^]*?\*\/)/u,
    /(?<word>[\p{L}_][\p{L}\p{N}_$]*)/u,
    /(?<cast>::|:=)/u,
    /:(?<place>[A-Za-z_]\w*)/u,
    /(?<foreign>\$\d+|@[A-Za-z_]\w*|\?\d*)/u,
    /(?<end>;)/u,
    /(?<space>\s+)/u,
    /(?<other>[^])/u,
  ].map(({ source }) => source).join("|"),
  "gu",
);
/** They would end the transaction that a statement is carried out in, or begin another. */
const CONTROL = /^(?:begin|start|commit|end|rollback|abort|savepoint|release|prepare)$/i;
/** What only stands alone where its other half is missing. */
const UNENDED = /^['"`]$/;

/**
 * Splits SQL at its semicolons and replaces each `:name` by `$1` (Postgres) or `?1` (SQLite).
 *
 * @throws {TypeError} for no command at all, a quote without an end, places of the database's own, transaction control
 */
export function compile(sql: string, dialect: Dialect): Command[] {
  const sign = dialect === "postgres" ? "$" : "?";
  const commands: Command[] = [];
  let text = "";
  let names: string[] = [];
  /** Whether anything but comments has been seen. */
  let begun = false;
  const end = () => {
    if (begun) commands.push({ text: text.trim(), names });
    text = "";
    names = [];
    begun = false;
  };
  for (const { 0: token, groups = {} } of sql.matchAll(TOKEN)) {
    if (groups.end !== undefined) {
      end();
      continue;
    }
    check(token, groups, dialect);
    if (!begun && groups.word !== undefined && CONTROL.test(token)) {
      throw new TypeError(`${token.toLowerCase()} is not for statements: each is one transaction already`);
    }
    begun ||= groups.space === undefined && groups.comment === undefined;
    const { place } = groups;
    if (place !== undefined && !names.includes(place)) names.push(place);
    text += place === undefined ? token : `${sign}${names.indexOf(place) + 1}`;
  }
  end();
  if (commands.length === 0) throw new TypeError("it has no SQL");
  return commands;
}

function check(token: string, groups: Record<string, string | undefined>, dialect: Dialect): void {
  // Postgres nests comments and SQLite does not: what is outside of them would differ.
  if (groups.comment?.includes("/*", 2)) throw new TypeError("it has a comment within a comment");
  if (groups.other !== undefined && UNENDED.test(token)) throw new TypeError(`its ${token} has no end`);
  // In Postgres `?` and `@` are operators.
  if (groups.foreign !== undefined && (dialect === "sqlite" || token.startsWith("$"))) {
    throw new TypeError(`${token} is not a parameter here: write :name`);
  }
}
