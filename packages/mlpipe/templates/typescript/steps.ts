import { rename, writeFile } from "node:fs/promises";
import { approved, csv, data, deploy, evaluate, gate, metrics, model, seed, train } from "mlpipe";
import { z } from "zod";
import { Home } from "./home.ts";
import { type Line, Model, predict, regress, shuffled } from "./line.ts";

export const split = data("split", {
  inputs: { homes: csv(Home), testShare: z.number(), seed: seed() },
  outputs: { train: csv(Home), test: csv(Home) },
  async run({ homes, testShare, seed }, out) {
    const all = shuffled(await homes.all(), seed);
    const tested = Math.round(all.length * testShare);
    await out.test.write(all.slice(0, tested));
    await out.train.write(all.slice(tested));
  },
});

export const fit = train("fit", {
  inputs: { homes: csv(Home), seed: seed() },
  outputs: { model: model("json") },
  async run({ homes }, out) {
    const line: Line = regress(await homes.all());
    await out.model.write(JSON.stringify(line));
  },
});

export const score = evaluate("score", {
  inputs: { model: model("json"), homes: csv(Home) },
  outputs: { metrics: metrics({ mae: "min" }) },
  async run({ model, homes }) {
    const line = Model.parse(JSON.parse(await model.text()));
    let error = 0;
    let count = 0;
    for await (const home of homes) {
      error += Math.abs(predict(line, home) - home.price);
      count++;
    }
    return { metrics: { mae: error / count } };
  },
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
  async run({ model }, _out, { target }) {
    // Written beside it and renamed: whoever reads the target sees the old model or the new one.
    await writeFile(`${target}.new`, await model.text());
    await rename(`${target}.new`, target);
  },
});
