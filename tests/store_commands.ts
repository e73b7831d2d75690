/** What a random sequence of verbs is made of. Few ids, so that they meet. */
import fc from "fast-check";

const owner = fc.constantFrom("ann", "bob");
const type = fc.constantFrom("mail", "pdf");
const which = fc.nat(9);
const alone = fc.boolean();
const delay = fc.constantFrom(undefined, 0, 5_000, 20_000);

/** Half of them without anything. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

const wish = fc.record({
  type,
  id: which,
  input: fc.constantFrom("1", "1", "1", "2"),
  priority: fc.nat(2),
  delay,
  unique: rarely(fc.record({
    key: fc.constantFrom("u", "v"),
    keep: fc.constantFrom(undefined, 20_000),
    onConflict: fc.constantFrom("return" as const, "reject" as const, "replace" as const),
  })),
  webhook: rarely(fc.constant(true)),
});

export const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("enqueue" as const),
      owner,
      wishes: fc.array(wish, { minLength: 1, maxLength: 4 }),
      batch: rarely(fc.record({ then: fc.boolean() })),
      repeat: rarely(
        fc.record({ key: fc.constantFrom("k", "l"), fingerprint: fc.constantFrom("f", "f", "g") }),
      ),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      wants: fc.uniqueArray(fc.record({ type, alone, limit: fc.nat(3) }), {
        minLength: 1,
        maxLength: 3,
        selector: (want) => `${want.type} ${want.alone}`,
      }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("settle" as const),
      claim: which,
      to: fc.constantFrom(
        "succeeded" as const,
        "failed" as const,
        "scheduled" as const,
        "queued" as const,
        "cancelled" as const,
      ),
      alone,
    }),
  },
  fc.record({ do: fc.constant("progress" as const), claim: which, current: fc.nat(9) }),
  fc.record({ do: fc.constant("renew" as const), claim: which }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("cancel" as const, "retry" as const, "remove" as const),
      owner,
      id: which,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      by: fc.constantFrom(1, 6_000, 31_000, 50_000),
    }),
  },
  fc.record({ do: fc.constant("sweep" as const), limit: fc.nat(3) }),
  fc.record({ do: fc.constant("recover" as const) }),
);

export type Wish = typeof wish extends fc.Arbitrary<infer W> ? W : never;
export type Command = typeof command extends fc.Arbitrary<infer C> ? C : never;
