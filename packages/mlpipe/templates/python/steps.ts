import { approved, cmd, csv, data, deploy, evaluate, gate, metrics, model, seed, train } from "mlpipe";
import { z } from "zod";
import { Home } from "./home.ts";

// Each command is a list of arguments; no shell reads it. `i.homes` and `o.train` are paths.
export const split = data("split", {
  inputs: { homes: csv(Home), testShare: z.number(), seed: seed() },
  outputs: { train: csv(Home), test: csv(Home) },
  command: (i, o) =>
    cmd`python3 split.py --homes ${i.homes} --share ${i.testShare} --seed ${i.seed} --train ${o.train} --test ${o.test}`,
});

export const fit = train("fit", {
  inputs: { homes: csv(Home), seed: seed() },
  outputs: { model: model("json") },
  command: (i, o) => cmd`python3 fit.py --homes ${i.homes} --seed ${i.seed} --out ${o.model}`,
});

export const score = evaluate("score", {
  inputs: { model: model("json"), homes: csv(Home) },
  outputs: { metrics: metrics({ mae: "min" }) },
  command: (i, o) => cmd`python3 score.py --model ${i.model} --homes ${i.homes} --out ${o.metrics}`,
});

export const goodEnough = gate("good-enough", {
  inputs: { model: model("json"), metrics: metrics({ mae: "min" }), maxError: z.number() },
  pass: "model",
  check: ({ metrics, maxError }) =>
    metrics.mae <= maxError || `the mean error is ${metrics.mae.toFixed(1)}, and may be ${maxError}`,
});

export const publish = deploy("publish", {
  inputs: { model: approved(model("json")) },
  target: "deployed/model.json",
  command: (i, _o, target) => cmd`python3 publish.py ${i.model} ${target}`,
});
