import { csv, evaluate } from "mlpipe";
import { Example } from "../example.ts";
import { scores, scoresOf } from "../scores.ts";

export const baseline = evaluate("baseline", {
  description: 'Judges the naive forecast "same as today" on the same days',
  inputs: { examples: csv(Example) },
  outputs: { metrics: scores },
  async run({ examples }) {
    const days = await examples.all();
    return { metrics: scoresOf(days.map(({ rain, rained }) => ({ probability: rain > 0 ? 1 : 0, rained }))) };
  },
});
