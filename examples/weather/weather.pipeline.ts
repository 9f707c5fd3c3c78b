/** Will it rain in Seattle tomorrow? */
import { csv, pipeline, source } from "mlpipe";
import { z } from "zod";
import { Day } from "./day.ts";
import { baseline } from "./steps/baseline.ts";
import { beatsBaseline } from "./steps/beats-baseline.ts";
import { features } from "./steps/features.ts";
import { fit } from "./steps/fit.ts";
import { publish } from "./steps/publish.ts";
import { score } from "./steps/score.ts";
import { split } from "./steps/split.ts";

const Params = z.object({
  testFrom: z.iso.date().default("2015-01-01").describe("first day that the model does not learn from"),
  trees: z.int().positive().default(40),
  depth: z.int().positive().default(4),
  seed: z.int().min(0).default(7),
  margin: z.number().default(0.03).describe("by how much the model's AUC must exceed the naive forecast's"),
});

export default pipeline("weather", Params, ({ testFrom, trees, depth, seed, margin }) => {
  const days = source("node_modules/vega-datasets/data/seattle-weather.csv", csv(Day), { keep: "copy" });
  const { examples } = features({ days });
  const { train, test } = split({ examples, testFrom });
  const { model } = fit({ examples: train, trees, depth, seed });
  const { metrics, reliability } = score({ model, examples: test });
  const naive = baseline({ examples: test });
  const good = beatsBaseline({ model, metrics, baseline: naive.metrics, margin });
  publish({ model: good.model, metrics, baseline: naive.metrics });
  return { model: good.model, metrics, baseline: naive.metrics, reliability };
});
