import { csv, data, json } from "mlpipe";
import { z } from "zod";
import { Month, Rate } from "../month.ts";

export const extract = data("extract", {
  description: "Takes the months of one industry out of the whole: what follows depends on these alone",
  inputs: { months: json(z.array(Month)), industry: z.string(), testFrom: z.int() },
  outputs: { past: csv(Rate), test: csv(Rate) },
  async run({ months, industry, testFrom }, out) {
    const own = (await months.read())
      .filter(({ series }) => series === industry)
      .map(({ year, month, rate }) => ({ year, month, rate }));
    await out.past.write(own.filter(({ year }) => year < testFrom));
    // The year before is what the first forecasts are made from.
    await out.test.write(own.filter(({ year }) => year >= testFrom - 1));
  },
});
