import { csv, pipeline, source } from "mlpipe";
import { z } from "zod";
import { Home } from "./home.ts";
import { fit, goodEnough, publish, score, split } from "./steps.ts";

// mlpipe run -s testShare=0.3 sets one of these for a run.
const Params = z.object({
  testShare: z.number().min(0.05).max(0.5).default(0.25),
  seed: z.int().nonnegative().default(7),
  maxError: z.number().positive().default(30),
});

export default pipeline("homes", Params, (p) => {
  const { train, test } = split({
    homes: source("data/homes.csv", csv(Home)),
    testShare: p.testShare,
    seed: p.seed,
  });
  const { model } = fit({ homes: train, seed: p.seed });
  const { metrics } = score({ model, homes: test });
  const ok = goodEnough({ model, metrics, maxError: p.maxError });
  publish({ model: ok.model });
  return { model: ok.model, metrics };
});
