/** Of every type that comes with Errand: its runner reaches what the type declares, and nothing else. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { isTaskDefinition, type TaskDefinition } from "../../tasks/mod.ts";
import { nativePart } from "../../tasks/lib/image/native.ts";
import { commandLine, environment, permissionsOf } from "../../workers/permissions.ts";
import { inputs, outputs, RunFolder } from "../../workers/run_folder.ts";
import type { Attempt } from "./reach/probe.ts";
import { outcomesOf } from "./reach/running.ts";

const TASKS = new URL("../../tasks/", import.meta.url);
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NATIVE = nativePart();

/** Who may know which of the variables that `scene` sets. */
const SECRETS: Readonly<Record<string, readonly string[]>> = {
  SMTP_URL: ["send-email", "send-bulk-email", "send-notification"],
  DATABASE_URL: ["update-database"],
  STATEMENTS_FILE: ["update-database"],
  FETCH_SECRET_X: ["fetch-url"],
  FETCH_SECRET_X_ORIGINS: ["fetch-url"],
  NOTIFY_SECRET_Y: ["send-notification"],
  STORE_URL: [],
  API_KEYS_FILE: [],
  AWS_SECRET_ACCESS_KEY: [],
};
/** Who may talk to any public address: what they are asked for is on the internet. */
const PUBLIC = [
  "deliver-webhook",
  "fetch-url",
  "process-file",
  "process-image",
  "scrape-page",
  "send-notification",
];

interface Type {
  readonly type: string;
  readonly module: string;
  readonly definition: TaskDefinition;
}

async function types(): Promise<Type[]> {
  const names = [...Deno.readDirSync(TASKS)].map(({ name }) => name)
    .filter((name) => name.endsWith(".ts") && name !== "mod.ts").sort();
  return await Promise.all(names.map(async (name) => {
    const module = new URL(name, TASKS).href;
    const { default: definition } = await import(module);
    assert.ok(isTaskDefinition(definition), name);
    return { type: name.slice(0, -3).replaceAll("_", "-"), module, definition };
  }));
}

/** A service's disk, three servers of this machine, and the variables that lead there. */
class Scene implements AsyncDisposable {
  readonly dataDir = Deno.makeTempDirSync({ prefix: "errand-reach-" });
  /** What the operator has beside it. */
  readonly operator = Deno.makeTempDirSync({ prefix: "errand-operator-" });
  readonly statements = this.#file(`${this.operator}/statements.sql`);
  readonly database = this.#file(`${this.operator}/shop.db`);
  readonly upload = this.#file(`${this.dataDir}/files/upload`);
  readonly folder = new RunFolder(`${this.dataDir}/runs/own`);
  readonly others = new RunFolder(`${this.dataDir}/runs/other`);
  readonly mail = new Listener();
  readonly postgres = new Listener();
  readonly other = new Listener();

  constructor() {
    for (const folder of [this.folder, this.others]) {
      folder.create();
      for (const part of ["in/1", "out/1", "made/1"]) this.#file(`${folder.path}/${part}/file`);
    }
    this.#file(`${this.dataDir}/outbox/mail.eml`);
  }

  /** @param away whether mails and rows go to servers, or to files */
  env(away: boolean): Record<string, string> {
    const own = away
      ? {
        SMTP_URL: `smtp://errand:canary@${this.mail.host}`,
        DATABASE_URL: `postgres://errand:canary@${this.postgres.host}/shop`,
      }
      : { DATABASE_URL: `sqlite:${this.database}` };
    return {
      ...Deno.env.toObject(),
      SMTP_URL: "",
      ...own,
      DATA_DIR: this.dataDir,
      STATEMENTS_FILE: this.statements,
      FETCH_SECRET_X: "canary",
      FETCH_SECRET_X_ORIGINS: "https://api.example.com",
      NOTIFY_SECRET_Y: "https://hooks.example.com/canary",
      STORE_URL: "redis://:canary@127.0.0.1:6379",
      API_KEYS_FILE: `${this.operator}/keys.json`,
      AWS_SECRET_ACCESS_KEY: "canary",
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [this.mail, this.postgres, this.other]) server.close();
    for (const folder of [this.dataDir, this.operator]) await Deno.remove(folder, { recursive: true });
  }

  #file(path: string): string {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(path, "");
    return path;
  }
}

/** Takes connections, and says how many there were; whoever speaks to it is answered as a web server would. */
class Listener {
  connections = 0;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #done = this.#accept();
  get port(): number {
    return this.#listener.addr.port;
  }
  get host(): string {
    return `127.0.0.1:${this.port}`;
  }
  close(): Promise<void> {
    this.#listener.close();
    return this.#done;
  }
  async #accept(): Promise<void> {
    const answer = new TextEncoder().encode(
      "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    );
    for await (const connection of this.#listener) {
      this.connections++;
      const read = connection.read(new Uint8Array(4_096));
      read.then((bytes) => bytes && connection.write(answer)).catch(() => {}).finally(() =>
        connection.close()
      );
    }
  }
}

const each = (ways: readonly string[], targets: readonly string[]): Attempt[] =>
  targets.flatMap((target) => ways.map((way) => ({ way, target })));

/** Other hosts: those of this machine and its network, and one elsewhere. */
function hosts({ mail, postgres, other }: Scene, declared: readonly string[] | true): Attempt[] {
  const near = [mail, postgres, other].flatMap((
    { host, port },
  ) => [host, `localhost:${port}`, `[::1]:${port}`]);
  const far = declared === true ? [] : ["example.com:80", "1.1.1.1:80"];
  const targets = [...near, "0.0.0.0:80", "169.254.169.254:80", "10.0.0.1:80", "192.168.0.1:80", ...far]
    .filter((target) => declared === true || !declared.includes(target));
  return [
    ...each(["connect", "connect-tls", "fetch", "node-connect"], targets),
    // Of a name it does not tell why it could not be reached.
    ...each(["web-socket"], targets.filter((target) => !/[a-z]/.test(target))),
    ...each(["listen", "fetch-by-proxy"], [other.host]),
  ];
}

/** What nobody may read or change of the disk, but who declares it. */
function disk({ dataDir, operator, upload, statements, database, others, folder }: Scene): {
  read: string[];
  list: string[];
  write: string[];
} {
  return {
    read: ["/etc/passwd", `${ROOT}main.ts`, `${ROOT}deno.json`, upload, statements, database]
      .concat(
        `${dataDir}/outbox/mail.eml`,
        `${inputs(others.path, 1)}/file`,
        `${outputs(others.path, 1)}/file`,
      )
      .concat(`${folder.path}/made/1/file`),
    list: [dataDir, operator, "/", `${dataDir}/files`, `${dataDir}/runs`, `${dataDir}/outbox`],
    write: ["/tmp/errand-reached", `${ROOT}tasks/reached.ts`, `${ROOT}workers/reached.ts`]
      .concat(upload, `${dataDir}/reached`, `${dataDir}/outbox/reached`, `${operator}/reached`)
      .concat(`${inputs(folder.path, 1)}/file`, `${outputs(others.path, 1)}/file`),
  };
}

const READING = [
  "read",
  "read-of-node",
  "read-by-import",
  "read-by-fetch",
  "stat",
  "database",
];
const WRITING = ["write", "write-of-node", "make-folder", "symlink", "database"];

const within = (path: string, folders: readonly string[] = []) =>
  folders.some((folder) => path === folder || path.startsWith(`${folder}/`));

for (const away of [true, false]) {
  Deno.test(`no type reaches more than it declares, ${away ? "with servers" : "with files"}`, async (t) => {
    await using scene = new Scene();
    const env = scene.env(away);
    for (const { type, module, definition } of await types()) {
      await t.step(type, async () => {
        const asked = permissionsOf(definition, { env });
        const { read, write } = scene.folder.rights;
        const grant = definition.files
          ? { ...asked, read: [...asked.read ?? [], ...read], write: [...asked.write ?? [], ...write] }
          : asked;
        const args = commandLine(grant, [module], definition.memory);
        const variables = environment(grant, env);
        assert.doesNotMatch(args.join(" "), /canary/, "everybody may see a command line");

        const { net = [], env: known = [] } = grant;
        assert.equal(net === true, PUBLIC.includes(type), "the whole network");
        const kept = disk(scene);
        const forbidden = [
          ...hosts(scene, net),
          ...each(["env", "env-of-node"], Object.keys(SECRETS).filter((name) => !known.includes(name))),
          ...each(["env-all", "proc-environ", "proc-parent-environ"], [""]),
          ...each(READING, kept.read.filter((path) => !within(path, grant.read))),
          // A thread takes its time.
          ...each(["read-by-worker"], ["/etc/passwd"]),
          ...each(["list"], kept.list.filter((path) => !within(path, grant.read))),
          ...each(WRITING, kept.write.filter((path) => !within(path, grant.write))),
          ...each(["temporary"], [""]),
          ...each(["run", "run-of-node"], ["true", Deno.execPath()]),
          ...each(["kill-parent"], [""]),
          ...each(["dlopen"], ["libc.so.6"]),
          ...each(["dlopen", "dlopen-of-node"], NATIVE && !grant.ffi?.includes(NATIVE) ? [NATIVE] : []),
        ];
        const own: Attempt[] = definition.files
          ? [
            ...each(["read", "stat"], [`${inputs(scene.folder.path, 1)}/file`]),
            ...each(["write"], [`${outputs(scene.folder.path, 1)}/file`]),
          ]
          : [];
        const told = known.filter((name) => env[name] && name in SECRETS);
        for (const name of told) assert.ok(SECRETS[name]!.includes(type), `${type} knows ${name}`);
        for (const [name, knowing] of Object.entries(SECRETS)) {
          if (!knowing.includes(type)) assert.equal(variables[name], undefined, name);
        }
        own.push(...each(["env"], told));
        if (net !== true) own.push(...each(["connect"], net));

        const files = definition.files ? { folder: scene.folder.path, max: 2 ** 20 } : undefined;
        const attempts = [...forbidden, ...own];
        const outcomes = await outcomesOf(attempts, args, variables, files);
        const expected = attempts.map((_, i) => i < forbidden.length ? "denied" : "reached");
        const wrong = attempts.flatMap(({ way, target }, i) =>
          outcomes[i] === expected[i] ? [] : [`${way} ${target}: ${outcomes[i]}`]
        );
        assert.deepEqual(wrong, []);
      });
    }
    assert.equal(scene.other.connections, 0, "nobody was there");
  });
}

Deno.test("no runner of these types fetches code from anywhere", async () => {
  const args = commandLine({}, (await types()).map(({ module }) => module), 512);
  const code = ["https://esm.sh/preact", "https://deno.land/x/a.ts", "jsr:@std/path", "npm:is-odd@3.0.1"];
  const outcomes = await outcomesOf(
    each(["import-remote"], code),
    args,
    environment({}, Deno.env.toObject()),
  );
  assert.deepEqual(outcomes, code.map(() => "denied"));
});

Deno.test("with all rights, each of these ways leads there", async () => {
  await using scene = new Scene();
  const env = scene.env(true);
  const bare = commandLine({}, [new URL("sleep.ts", TASKS).href], 512);
  const args = bare.flatMap((arg) => arg === "run" ? [arg, "-A"] : /^--(allow|deny)-/.test(arg) ? [] : [arg]);
  const text = `${scene.operator}/text.js`;
  Deno.writeTextFileSync(text, "postMessage(1)");
  const ways: Attempt[] = [
    ...each(["connect", "fetch", "node-connect", "listen", "fetch-by-proxy"], [scene.other.host]),
    ...each(["env", "env-of-node"], Object.keys(SECRETS)),
    ...each(["env-all", "proc-environ", "proc-parent-environ"], [""]),
    ...each(["read-by-worker", ...READING.filter((way) => way !== "database")], [text]),
    ...each(["list"], [scene.dataDir]),
    ...WRITING.map((way) => ({ way, target: `${scene.operator}/${way}` })),
    ...each(["temporary"], [""]),
    ...each(["run", "run-of-node"], ["true"]),
    ...each(["kill-parent"], [""]),
    ...each(["dlopen"], ["libc.so.6"]),
    ...each(["dlopen-of-node"], NATIVE ? [NATIVE] : []),
  ];
  const outcomes = await outcomesOf(ways, args, { ...env, TMPDIR: scene.operator });
  const wrong = ways.flatMap(({ way, target }, i) =>
    outcomes[i] === "reached" ? [] : [`${way} ${target}: ${outcomes[i]}`]
  );
  assert.deepEqual(wrong, []);
});
