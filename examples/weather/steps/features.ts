import { csv, data } from "mlpipe";
import { Day } from "../day.ts";
import { Example } from "../example.ts";
import { examplesOf } from "../features.ts";

export const features = data("features", {
  description: "Describes each day by the days before it",
  inputs: { days: csv(Day) },
  outputs: { examples: csv(Example) },
  async run({ days }, out) {
    await out.examples.write(examplesOf(await days.all()));
  },
});
