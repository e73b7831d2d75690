import { TaskFailure } from "../failure.ts";
import type { TaskFiles } from "../files.ts";
import { Fault } from "../table/table.ts";
import type { Row } from "./database.ts";

/**
 * The rows of a CSV file, whose columns are the parameters' names. All of them are texts, and an empty cell is an
 * empty text: what a column of the database takes is for the statement to say (`cast(:price as numeric)`).
 *
 * @throws {TaskFailure} `invalid_input` naming the first row that is none, as all are carried out or none
 */
export async function* rowsInFile(id: string, files: TaskFiles, most: number): AsyncGenerator<Row> {
  const [{ readDelimited }, { textOf }] = await Promise.all([
    import("../table/delimited.ts"),
    import("../table/text.ts"),
  ]);
  const { columns, batches } = await readDelimited(textOf((await files.open(id)).stream()), { header: true });
  let count = 0;
  for await (const batch of batches) {
    for (const cells of batch) {
      if (++count > most) throw new TaskFailure("invalid_input", `file: there are more than ${most} rows`);
      if (cells instanceof Fault) {
        throw new TaskFailure("invalid_input", `file row ${count}: ${cells.message}`);
      }
      yield Object.fromEntries(columns.map((column, i) => [column, cells[i] as string]));
    }
  }
}
