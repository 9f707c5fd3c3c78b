import { csv, evaluate, model, plot } from "mlpipe";
import { Example } from "../example.ts";
import { rainProbabilities } from "../forest.ts";
import { reliabilityPlot } from "../reliability-plot.ts";
import { scores, scoresOf } from "../scores.ts";

export const score = evaluate("score", {
  description: "Judges the model on the unseen days",
  inputs: { model: model("json"), examples: csv(Example) },
  outputs: { metrics: scores, reliability: plot("svg") },
  async run({ model: forest, examples }, out) {
    const days = await examples.all();
    const probabilities = rainProbabilities(await forest.text(), days);
    const outcomes = days.map(({ rained }, index) => ({ probability: probabilities[index] ?? NaN, rained }));
    await out.reliability.write(reliabilityPlot(outcomes, `Rain in Seattle, ${days.length} unseen days`));
    return { metrics: scoresOf(outcomes) };
  },
});
