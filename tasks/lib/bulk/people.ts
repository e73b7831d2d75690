import type { z } from "zod";
import type { TaskFiles } from "../files.ts";
import { TaskFailure } from "../failure.ts";
import { Skipped } from "../table/skipped.ts";
import { Fault } from "../table/table.ts";
import { type Letters, type Person, personOf, type recipient } from "./letters.ts";

export const PEOPLE_MAX = 100_000;
const BATCH = 1_000;

/** Where the recipients are: the same, in the same order, whenever they are asked for. */
export type People = () => AsyncIterable<readonly (Person | Fault)[]>;

export async function* listed(recipients: readonly z.output<typeof recipient>[]): AsyncGenerator<Person[]> {
  for (let at = 0; at < recipients.length; at += BATCH) {
    yield await Promise.resolve(recipients.slice(at, at + BATCH).map(personOf));
  }
}

/**
 * From a CSV file with a column `address`, and perhaps `name`; all columns fill places.
 *
 * @throws {TaskFailure} `invalid_input`, `file_missing`
 */
export async function* inFile(id: string, files: TaskFiles): AsyncGenerator<(Person | Fault)[]> {
  const [{ readDelimited }, { textOf }] = await Promise.all([
    import("../table/delimited.ts"),
    import("../table/text.ts"),
  ]);
  const file = await files.open(id);
  const { columns, batches } = await readDelimited(textOf(file.stream()), { header: true });
  const [address, name] = [columns.indexOf("address"), columns.indexOf("name")];
  if (address < 0) throw new TaskFailure("invalid_input", "The file has no column `address`.");
  for await (const batch of batches) {
    yield batch.map((row) => {
      if (row instanceof Fault) return row;
      const cells = row as readonly string[];
      return {
        address: cells[address]!,
        name: cells[name] ?? "",
        values: new Map(columns.map((column, i) => [column, cells[i]!])),
      };
    });
  }
}

/** What is known of the recipients before any of them is written to. */
export interface Survey {
  /** That can be written to. */
  readonly total: number;
  /** Which cannot, by their place. */
  readonly flawed: ReadonlySet<number>;
  readonly skipped: Skipped;
}

/**
 * Looks at all of them: who has what it takes, and whose address has not come before.
 *
 * @throws {TaskFailure} `invalid_input` where there are too many, or none
 */
export async function survey(people: People, letters: Letters, signal: AbortSignal): Promise<Survey> {
  const flawed = new Set<number>();
  const skipped = new Skipped();
  const addresses = new Map<string, number>();
  let index = 0;
  for await (const batch of people()) {
    signal.throwIfAborted();
    for (const person of batch) {
      const fault = person instanceof Fault ? person : faultOf(person, letters, addresses, index);
      if (fault) flawed.add(index);
      skipped.next(fault);
      if (++index > PEOPLE_MAX) {
        throw new TaskFailure("invalid_input", `There are more than ${PEOPLE_MAX} recipients.`);
      }
    }
  }
  const total = index - flawed.size;
  if (total > 0) return { total, flawed, skipped };
  const [first] = skipped.view.skipped;
  const why = first ? `: row ${first.row} ${first.message}` : "";
  throw new TaskFailure("invalid_input", `There is nobody to write to${why}.`);
}

function faultOf(
  person: Person,
  letters: Letters,
  addresses: Map<string, number>,
  index: number,
): Fault | undefined {
  const flaw = letters.flaw(person);
  if (flaw) return new Fault(`${flaw.path} ${flaw.message}`);
  const address = person.address.trim().toLowerCase();
  const earlier = addresses.get(address);
  if (earlier !== undefined) return new Fault(`has the address of row ${earlier + 1}`);
  addresses.set(address, index);
  return undefined;
}
