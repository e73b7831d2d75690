/** `deno task keys`, and what a running service makes of it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { keys, KeysError } from "../../keys.ts";
import { program, Service, until } from "../service.ts";
import { bearer, KeyFile } from "./key_file.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const run = promisify(execFile);

Deno.test("the task adds, lists and revokes with the rights that it has, and shows a key once", async () => {
  using file = new KeyFile();
  const env = { ...Deno.env.toObject(), API_KEYS_FILE: file.path, NO_COLOR: "1" };
  const task = (...args: string[]) =>
    run(Deno.execPath(), ["task", "-q", "keys", ...args], { cwd: ROOT, env });
  const added = await task(
    "add",
    "--owner",
    "ada",
    "--scopes",
    "read,submit",
    "--expires",
    "90d",
    "--rate",
    "5/s",
  );
  assert.match(added.stdout, /^errand_[0-9a-f]{12}_[0-9a-f]{64}\n$/);
  const [, id, secret] = added.stdout.trim().split("_") as [string, string, string];
  const { stdout } = await task("list");
  assert.match(stdout, new RegExp(`^ID +OWNER.*\n${id}  ada    read,submit  20.*Z  20.*Z  5/s +- +-\n$`));
  assert.ok(!stdout.includes(secret) && !added.stderr.includes(secret));
  await task("revoke", id);
  assert.equal((await task("list")).stdout.split("\n").length, 2);
});

Deno.test("every mistake is one clear line", () => {
  using file = new KeyFile();
  const key = file.add("ada");
  const says = (expected: RegExp, args: string[], path: string | undefined = file.path) => {
    const io = {
      path,
      now: Date.now(),
      print: () => assert.fail("printed"),
      note: () => assert.fail("noted"),
    };
    assert.throws(() => keys(args, io), (error) => {
      assert.ok(error instanceof KeysError, String(error));
      assert.match(error.message, expected);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  };
  says(/There is: add, list, revoke/, []);
  says(/Unknown command: keys delete/, ["delete"]);
  assert.throws(
    () => keys(["list"], { path: undefined, now: 0, print() {}, note() {} }),
    /Set API_KEYS_FILE/,
  );
  says(/--owner NAME is required/, ["add"]);
  says(/--owner: got "a b", which must be/, ["add", "--owner", "a b"]);
  says(/--owner: got ""/, ["add", "--owner", ""]);
  says(/--scopes: got "write", expected some of/, ["add", "--owner", "a", "--scopes", "read,write"]);
  for (const text of ["0s", "yesterday", "2001-01-01T00:00:00Z", "2999-99-99T00:00:00Z", "40000d"]) {
    says(/--expires: got .* such as 90d/, ["add", "--owner", "a", "--expires", text]);
  }
  says(/--rate: got "fast"/, ["add", "--owner", "a", "--rate", "fast"]);
  says(/Unknown option '--force'/, ["add", "--force"]);
  says(/argument/, ["list", "all"]);
  says(/Give one ID/, ["revoke"]);
  says(/not the key/, ["revoke", key]);
  says(/no key with the ID "1"/, ["revoke", "1"]);
  says(/cannot be used: there is no such folder/, ["add", "--owner", "a"], `${file.folder}/none/keys.json`);
  says(/cannot be used: there is no such file/, ["list"], `${file.folder}/other.json`);
  Deno.writeTextFileSync(file.path, "[]");
  says(/cannot be used: it: /, ["add", "--owner", "a"]);
  assert.equal(Deno.readTextFileSync(file.path), "[]");
});

Deno.test("a key file that cannot be used is one line at the start", async () => {
  using file = new KeyFile();
  const env = { API_KEYS_FILE: file.path, DATA_DIR: file.folder, PORT: "0", HOST: "0.0.0.0" };
  const start = async () => {
    const { ended, output } = program(["start"], env);
    assert.equal((await ended).code, 1);
    return output();
  };
  const [missing, broken] = [await start(), (Deno.writeTextFileSync(file.path, "{"), await start())];
  assert.equal(
    missing,
    `errand: API_KEYS_FILE=${file.path} cannot be used: there is no such file; deno task keys add makes one\n`,
  );
  assert.equal(broken, `errand: API_KEYS_FILE=${file.path} cannot be used: it is not JSON\n`);
});

Deno.test("a running service heeds added and revoked keys within a second", async () => {
  using file = new KeyFile();
  const first = file.add("ada");
  await using service = await Service.start({ API_KEYS_FILE: file.path });
  const status = async (key: string) => {
    const answer = await fetch(`${service.url}/v1/tasks`, { headers: bearer(key) });
    await answer.body?.cancel();
    return answer.status;
  };
  /** Milliseconds until the key is answered so. */
  const becomes = async (wanted: number, key: string) => {
    const since = performance.now();
    await until(`a ${wanted}`, async () => await status(key) === wanted || undefined);
    return performance.now() - since;
  };
  assert.equal(await status(first), 200);
  const second = file.add("bob");
  assert.ok(await becomes(200, second) < 1_000);
  file.revoke(first);
  assert.ok(await becomes(401, first) < 1_000);
  assert.equal(await status(second), 200);
});
