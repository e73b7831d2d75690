/** The small pieces of the room: JSON, scrubbing, frames, permissions, the breaker, verdicts. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import fc from "fast-check";
import { z } from "zod";
import { defineTask } from "../../tasks/mod.ts";
import { Breaker } from "../../workers/breaker.ts";
import { Frames } from "../../workers/frames.ts";
import { NotSerializable, toJson } from "../../workers/json.ts";
import { commandLine, environment, permissionsOf } from "../../workers/permissions.ts";
import { createScrub } from "../../workers/scrub.ts";
import { failed, released } from "../../workers/verdict.ts";

Deno.test("JSON: what JSON has comes out as JSON.stringify writes it", () => {
  fc.assert(fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
    assert.equal(toJson(value), JSON.stringify(value));
  }));
  const shared = { a: 1 };
  assert.equal(toJson([shared, shared, new Date(0)]), '[{"a":1},{"a":1},"1970-01-01T00:00:00.000Z"]');
  assert.equal(toJson(undefined), "");
  assert.equal(toJson({ gone: undefined, kept: null }), '{"kept":null}');
});

Deno.test("JSON: whatever else is refused, never thrown otherwise", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  const refused = [
    () => {},
    Symbol("s"),
    1n,
    NaN,
    [Infinity],
    { deep: [{ deeper: -Infinity }] },
    new Map(),
    new Set(),
    new Uint8Array(1),
    /x/,
    new Error("e"),
    Promise.resolve(),
    cycle,
    { toJSON: () => undefined },
    {
      toJSON() {
        throw new Error("no");
      },
    },
    new Proxy({}, {
      ownKeys() {
        throw null;
      },
    }),
  ];
  for (const value of refused) assert.throws(() => toJson(value), NotSerializable);
  fc.assert(fc.property(fc.anything({ withBigInt: true, withMap: true, withSet: true }), (value) => {
    try {
      const text = toJson(value);
      if (text !== "") JSON.parse(text);
    } catch (error) {
      assert.ok(error instanceof NotSerializable, String(error));
    }
  }));
});

Deno.test("scrub: secrets, passwords in URLs, and paths do not get out", () => {
  const scrub = createScrub(["hunter2!", "smtp://user:p%40ss-word@mail.example.com:587", "abc", undefined]);
  assert.equal(
    scrub.message("hunter2! p%40ss-word p@ss-word abc at file:///srv/app/x.ts:1:2 /etc/passwd"),
    "[redacted] [redacted] [redacted] abc at [path]:1:2 [path]",
  );
  assert.equal(scrub.message("smtp://user:p%40ss-word@mail.example.com:587"), "[redacted]");
  assert.equal(scrub.stack("hunter2! at /srv/app/x.ts"), "[redacted] at /srv/app/x.ts");
  fc.assert(fc.property(fc.string({ minLength: 4 }), fc.string(), fc.string(), (secret, before, after) => {
    fc.pre(!"[redacted]".includes(secret) && !before.includes(secret) && !after.includes(secret));
    fc.pre(!`${before}[redacted]${after}`.includes(secret));
    assert.ok(!createScrub([secret]).stack(before + secret + after).includes(secret));
  }));
});

class FakeSocket extends EventEmitter {
  readonly written: Buffer[] = [];
  write(chunk: Buffer): boolean {
    this.written.push(chunk);
    return true;
  }
}

function frames(limit: number) {
  const socket = new FakeSocket();
  const texts: string[] = [];
  const violations: string[] = [];
  const it = new Frames(
    socket as unknown as Socket,
    limit,
    (t) => texts.push(t),
    (why) => violations.push(why),
  );
  return { it, socket, texts, violations };
}

Deno.test("frames: texts arrive whole, however the bytes are cut", () => {
  const texts = fc.array(fc.string({ unit: "binary", maxLength: 300 }).map((text) => text.toWellFormed()));
  fc.assert(fc.property(texts, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, cuts) => {
    const from = frames(10_000);
    sent.forEach((text) => from.it.send(text));
    const bytes = Buffer.concat(from.socket.written);
    const to = frames(10_000);
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const length = cuts[i % cuts.length]!;
      to.socket.emit("data", bytes.subarray(at, at + length));
      at += length;
    }
    assert.deepEqual(to.texts, sent);
  }));
});

Deno.test("frames: a length over the limit is told at once, and nothing more is heard", () => {
  const { socket, texts, violations } = frames(100);
  socket.emit("data", Buffer.from([0, 0, 0, 2, 111, 107, 0, 0, 0, 101]));
  socket.emit("data", Buffer.from([0, 0, 0, 1, 120]));
  assert.deepEqual(texts, ["ok"]);
  assert.equal(violations.length, 1);
});

Deno.test("permissions: a runner has what its type declares, and nothing else", () => {
  const MODULE = "file:///srv/my%20tasks/a_task.ts";
  const bare = commandLine({}, [MODULE], 256);
  assert.deepEqual(bare.filter((flag) => flag.startsWith("--allow")).map((flag) => flag.split("=")[0]), [
    "--allow-read",
  ]);
  assert.ok(bare.includes("--no-prompt"));
  assert.ok(bare.some((flag) => flag.includes("--max-old-space-size=256")));
  assert.ok(bare.find((flag) => flag.startsWith("--allow-read"))!.includes("/srv/my tasks/"));

  const full = commandLine({ net: ["a:1", "b:2"], env: ["A"], write: ["/w"], read: ["/r"], sys: [] }, [
    MODULE,
  ], 64);
  for (const flag of ["--allow-net=a:1,b:2", "--allow-env=A", "--allow-write=/w"]) {
    assert.ok(full.includes(flag), flag);
  }
  assert.ok(full.find((flag) => flag.startsWith("--allow-read"))!.endsWith(",/r"));
  assert.ok(!full.some((flag) => flag.startsWith("--allow-sys")));
  assert.ok(commandLine({ net: true }, [MODULE], 64).includes("--allow-net"));
  // An empty list is nothing, not everything.
  assert.ok(!commandLine({ net: [], env: [] }, [MODULE], 64).some((flag) => /^--allow-(net|env)/.test(flag)));
});

Deno.test("permissions: the environment holds what is declared", () => {
  const env = { PATH: "/bin", HOME: "/root", SECRET: "s", OTHER: "o" };
  assert.deepEqual(environment({ env: ["SECRET", "UNSET"] }, env), {
    PATH: "/bin",
    HOME: "/root",
    SECRET: "s",
  });
  const definition = defineTask({
    input: z.null(),
    permissions: ({ env }) => ({ net: [env.HOST!] }),
    run: () => 1,
  });
  assert.deepEqual(permissionsOf(definition, { env: { HOST: "h:1" } }), { net: ["h:1"] });
});

Deno.test("breaker: a few deaths are free, a run of them is held back longer and longer", () => {
  const breaker = new Breaker();
  for (let i = 0; i < Breaker.FREE; i++) breaker.strike("died", 0);
  assert.deepEqual([breaker.open(0), breaker.doubtful], [false, false]);
  const waits = Array.from({ length: 12 }, () => {
    breaker.strike("died", 0);
    return breaker.remaining(0);
  });
  assert.deepEqual(waits.slice(0, 4), [200, 400, 800, 1_600]);
  assert.equal(waits.at(-1), 30_000);
  assert.deepEqual([breaker.open(29_999), breaker.open(30_000), breaker.doubtful], [true, false, true]);
  breaker.reset();
  assert.deepEqual([breaker.open(0), breaker.doubtful, breaker.reason], [false, false, undefined]);
  breaker.unloadable("no such file", 0);
  assert.ok(breaker.open(0));
});

Deno.test("verdicts: nothing is done twice by guess, and nobody says by himself that he was stopped", () => {
  const crash = { code: "worker_lost", message: "m", retryable: true, crash: true };
  const retryableOf = (outcome: ReturnType<typeof failed>) =>
    outcome.as === "failed" ? [outcome.failure.code, outcome.failure.retryable] : outcome.as;
  const timeout = { code: "timeout", message: "m", retryable: true };
  const aborted = { code: "shutdown_aborted", message: "m", retryable: false };
  assert.deepEqual(retryableOf(failed("t", crash, undefined, "retry")), ["worker_lost", true]);
  assert.deepEqual(retryableOf(failed("t", crash, undefined, "fail")), ["worker_lost", false]);
  assert.deepEqual(retryableOf(failed("t", timeout, undefined, "fail")), ["timeout", false]);
  assert.deepEqual(retryableOf(failed("t", aborted, undefined, "retry")), ["handler_error", false]);
  assert.deepEqual(retryableOf(failed("t", aborted, "cancelled", "retry")), ["handler_error", false]);
  assert.deepEqual(retryableOf(failed("t", aborted, "shutdown_aborted", "retry")), [
    "shutdown_aborted",
    false,
  ]);
  assert.deepEqual(retryableOf(failed("t", aborted, "shutdown_aborted", "fail")), ["outcome_unknown", false]);

  assert.deepEqual(released("t", "suspect", "retry"), { token: "t", as: "released", alone: true });
  assert.deepEqual(released("t", "neighbour", "retry"), { token: "t", as: "released", alone: false });
  assert.deepEqual(released("t", "unstarted", "fail"), { token: "t", as: "released", alone: false });
  assert.deepEqual(retryableOf(released("t", "neighbour", "fail")), ["outcome_unknown", false]);
});
