import assert from "node:assert/strict";
import { cellFlaw, type Format, writer } from "../../../tasks/lib/pdf/format.ts";

const berlin = { locale: "de", timeZone: "Europe/Berlin" };
const english = { locale: "en", timeZone: "UTC" };

for (
  const [column, cell, place, written] of [
    [{}, "as it is", english, "as it is"],
    [{}, 1234.5, english, "1234.5"],
    [{}, true, english, "✓"],
    [{}, false, english, "–"],
    [{ format: "number" }, 1234.5678, english, "1,234.568"],
    [{ format: "number" }, 1234.5678, berlin, "1.234,568"],
    [{ format: "number", decimals: 1 }, 2, berlin, "2,0"],
    [{ format: "number" }, "12345678901234567890.5", english, "12,345,678,901,234,567,890.5"],
    [{ format: "currency", currency: "EUR" }, "-0.5", english, "-€0.50"],
    [{ format: "currency", currency: "EUR" }, 1e6, berlin, "1.000.000,00 €"],
    [{ format: "currency", currency: "JPY" }, 1000, english, "¥1,000"],
    [{ format: "percent" }, 0.125, english, "12.5%"],
    [{ format: "percent", decimals: 0 }, 1, berlin, "100 %"],
    [{ format: "date" }, "2030-01-31", english, "Jan 31, 2030"],
    [{ format: "date" }, "2030-01-31", { ...english, timeZone: "America/New_York" }, "Jan 31, 2030"],
    [{ format: "date" }, "2030-01-31T23:30:00Z", berlin, "01.02.2030"],
    [{ format: "datetime" }, "2030-01-31T23:30:00Z", berlin, "01.02.2030, 00:30"],
    [{ format: "number" }, null, english, ""],
    [{ format: "date" }, "", english, ""],
  ] as [Format, string | number | boolean | null, typeof english, string][]
) {
  Deno.test(`${JSON.stringify(cell)} as ${column.format ?? "text"} in ${place.locale} is written ${written}`, () => {
    assert.equal(cellFlaw(cell, column), undefined);
    // Whichever kinds of spaces the language has.
    assert.equal(writer(column, place)(cell).replaceAll(/\s/g, " "), written);
  });
}
