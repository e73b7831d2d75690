/** What the compiler makes of the client; the test is that this file is type-checked. */
import assert from "node:assert/strict";
import { type AnyTasks, createClient, type InputOf, type ResultOf } from "../../client/mod.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <_ extends true>() => {};

type WordCount = typeof import("../../examples/tasks/word_count.ts");
type Tasks = {
  "word-count": WordCount["default"];
  "whole-module": WordCount;
  "by-hand": { input: { n: number }; result: string };
  "no-result": { input: { n: number } };
};

const url = "http://localhost";
/** Never called: the compiler has read it by then. */
const never = (..._: (() => unknown)[]) => {};

Deno.test("inputs and results come from task files, whole modules, or types written by hand", () => {
  holds<Same<InputOf<Tasks["word-count"]>, { text: string }>>();
  holds<Same<InputOf<Tasks["whole-module"]>, { text: string }>>();
  holds<Same<ResultOf<Tasks["word-count"]>, { words: number; longest: string }>>();
  holds<Same<ResultOf<Tasks["whole-module"]>, { words: number; longest: string }>>();
  holds<Same<ResultOf<Tasks["by-hand"]>, string>>();
  holds<Same<ResultOf<Tasks["no-result"]>, unknown>>();
  assert.ok(true);
});

Deno.test("a client takes the names and inputs that its types have, and gives their results", () => {
  const client = createClient<Tasks>({ url });
  never(
    async () => {
      const task = await client.tasks.submit("word-count", { text: "x" }, { delay: "1s", priority: 1 });
      holds<Same<typeof task.type, "word-count">>();
      const done = await task.wait({ onProgress: ({ current, total }) => current / (total ?? 1) });
      if (done.status === "succeeded") holds<Same<typeof done.result.words, number>>();
      if (done.status === "failed") holds<Same<typeof done.error.code, string>>();
      // @ts-expect-error only what has succeeded has a result
      done.result;
      const { longest } = await task.result({ timeout: 1_000 });
      holds<Same<typeof longest, string>>();
      // @ts-expect-error it gives no such thing
      (await task.result()).count;
    },
    // @ts-expect-error no such type
    () => client.tasks.submit("wordcount", { text: "x" }),
    // @ts-expect-error not its input
    () => client.tasks.submit("word-count", { text: 1 }),
    // @ts-expect-error something is missing
    () => client.tasks.submit("word-count", {}),
    // @ts-expect-error something is too much
    () => client.tasks.submit("word-count", { text: "x", more: 1 }),
    // @ts-expect-error durations are texts
    () => client.tasks.submit("word-count", { text: "x" }, { delay: 1 }),
    async () => {
      const task = await client.tasks.get("id", { type: "by-hand" });
      holds<Same<Awaited<ReturnType<typeof task.result>>, string>>();
    },
    () =>
      client.batches.submit([
        { type: "word-count", input: { text: "x" } },
        { type: "by-hand", input: { n: 1 }, maxAttempts: 1 },
      ], { then: { type: "no-result", input: { n: 2 } } }),
    // @ts-expect-error the input of another type
    () => client.batches.submit([{ type: "word-count", input: { n: 1 } }]),
  );
});

Deno.test("a client knows the built-in types unless told otherwise, and any if so told", () => {
  const builtIn = createClient({ url });
  const any = createClient<AnyTasks>({ url });
  never(
    async () => {
      const { count } = await (await builtIn.tasks.submit("count-primes", { upTo: 10 })).result();
      holds<Same<typeof count, number>>();
      await builtIn.tasks.submit("send-email", { to: ["ada@example.com"], subject: "Hello", text: "Hi" });
    },
    // @ts-expect-error not built in
    () => builtIn.tasks.submit("word-count", { text: "x" }),
    () => any.tasks.submit("whatever", { at: ["all"] }),
  );
});

Deno.test("a client is refused what is no address of a service", () => {
  for (const wrong of ["ftp://example.com", "/background", "", "localhost:8000"]) {
    assert.throws(() => createClient({ url: wrong }), TypeError, wrong);
  }
});
