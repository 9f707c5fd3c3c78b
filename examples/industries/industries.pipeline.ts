/** One model for each industry that the data has. Which those are, only the run finds out. */
import { each, json, pipeline, source } from "mlpipe";
import { z } from "zod";
import { Month } from "./month.ts";
import { compare } from "./steps/compare.ts";
import { extract } from "./steps/extract.ts";
import { fit } from "./steps/fit.ts";
import { industries } from "./steps/industries.ts";
import { score } from "./steps/score.ts";

const Params = z.object({ testFrom: z.int().default(2008).describe("first year that no model learns from") });

export default pipeline("industries", Params, ({ testFrom }) => {
  const file = "node_modules/vega-datasets/data/unemployment-across-industries.json";
  const months = source(file, json(z.array(Month)), { keep: "copy" });
  const { list } = industries({ months });
  const { model, metrics } = each(
    list,
    ({ id }) => id,
    (industry) => {
      const { past, test } = extract({ months, industry: industry.at("name"), testFrom });
      const { model } = fit({ past, seed: 0 });
      return { model, metrics: score({ model, test }).metrics };
    },
  );
  return { ...compare({ scores: metrics }), models: model };
});
