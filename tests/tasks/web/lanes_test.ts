import assert from "node:assert/strict";
import fc from "fast-check";
import { Lanes } from "../../../tasks/lib/web/lanes.ts";

Deno.test("never more at once than may be, in all and with one host, and none waits in vain", async () => {
  const work = fc.record({ host: fc.constantFrom("a", "b", "c"), turns: fc.nat(5), fails: fc.boolean() });
  const some = fc.integer({ min: 1, max: 4 });
  await fc.assert(fc.asyncProperty(fc.array(work), some, some, async (all, most, perHost) => {
    const lanes = new Lanes(most, perHost);
    const busy: string[] = [];
    const outcomes = await Promise.allSettled(
      all.map(({ host, turns, fails }) =>
        lanes.run(host, async () => {
          busy.push(host);
          assert.ok(busy.length <= most && busy.filter((each) => each === host).length <= perHost);
          for (let i = 0; i < turns; i++) await Promise.resolve();
          busy.splice(busy.indexOf(host), 1);
          if (fails) throw host;
          return host;
        })
      ),
    );
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status === "fulfilled" ? outcome.value : outcome.reason),
      all.map(({ host }) => host),
    );
  }));
});
