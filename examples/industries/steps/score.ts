import { csv, evaluate, metrics, model } from "mlpipe";
import { Line, Rate } from "../month.ts";
import { pairs } from "../pairs.ts";

export const score = evaluate("score", {
  description: "How far off the forecast is, and how far off saying 'as a year ago' would be",
  inputs: { model: model("json"), test: csv(Rate) },
  outputs: { metrics: metrics({ mae: "min", naive: "min" }) },
  async run({ model: trained, test }) {
    const { intercept, slope } = Line.parse(JSON.parse(await trained.text()));
    const points = pairs(await test.all());
    const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
    return {
      metrics: {
        mae: mean(points.map(({ now, later }) => Math.abs(intercept + slope * now - later))),
        naive: mean(points.map(({ now, later }) => Math.abs(now - later))),
      },
    };
  },
});
