import { TaskFailure } from "../failure.ts";
import { type Cell, COLUMNS_MAX, Fault, Json, quoted, type Row, ROW_MAX, type Table } from "./table.ts";

/** Records that are looked at to learn what columns there are. */
const SAMPLE = 1_000;
/** Where they are long ones, so many characters will do. */
const SAMPLE_LENGTH = 4 * ROW_MAX;

/**
 * Objects as rows. Their columns are the keys of the first 1,000; a later one with another key does not fit.
 *
 * @param wanted the columns, where they are known: other keys do not matter then
 * @throws {TaskFailure} `invalid_input` for too many columns
 */
export async function recordsTable(
  batches: AsyncGenerator<unknown[]>,
  wanted: readonly string[] | undefined,
): Promise<Table> {
  const first: unknown[] = [];
  const keys = new Set(wanted);
  for (let length = 0; !wanted && first.length < SAMPLE && length < SAMPLE_LENGTH;) {
    const { value: batch, done } = await batches.next();
    if (done) break;
    for (const record of batch) {
      first.push(record);
      if (!isRecord(record)) continue;
      for (const key of Object.keys(record)) keys.add(key);
      length += jsonOf(record)?.length ?? ROW_MAX;
    }
    if (keys.size > COLUMNS_MAX) {
      throw new TaskFailure("invalid_input", `The objects have more than ${COLUMNS_MAX} keys.`);
    }
  }
  const columns = [...keys];
  const places = new Map(columns.map((column, index) => [column, index]));
  const rowOf = (record: unknown): Row => {
    if (record instanceof Fault) return record;
    if (!isRecord(record)) return new Fault("is no object");
    const row = Array<Cell>(columns.length).fill(undefined);
    for (const key of Object.keys(record)) {
      const place = places.get(key);
      if (place !== undefined) {
        const cell = cellOf(record[key]);
        if (cell instanceof Fault) return cell;
        row[place] = cell;
      } else if (!wanted) {
        return new Fault(`has ${quoted(key)}, which the rows at the beginning do not have`);
      }
    }
    return row;
  };
  return {
    columns,
    batches: (async function* () {
      yield first.map(rowOf);
      for await (const batch of batches) yield batch.map(rowOf);
    })(),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Fault);
}

/** @param value what was parsed from JSON */
function cellOf(value: unknown): Cell | Fault {
  if (typeof value !== "object" || value === null) return value as Cell;
  const text = jsonOf(value);
  return text === undefined ? new Fault("is nested too deeply") : new Json(text);
}

/** `undefined` where it is nested so deeply that the stack does not hold it. */
function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
