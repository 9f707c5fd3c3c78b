/**
 * Compile errors are part of the language: each `@ts-expect-error` below is a mistake that must
 * not compile, and the code around it is what must. Checked by `tsc -b`, never run.
 */
import { z } from "zod";
import {
  approved,
  checkpoint,
  cmd,
  csv,
  data,
  deploy,
  dir,
  each,
  evaluate,
  file,
  gate,
  jsonl,
  many,
  metrics,
  model,
  onnx,
  optional,
  pipeline,
  plot,
  type Ref,
  seed,
  source,
  train,
} from "./index.ts";

const Day = z.object({ date: z.iso.date(), rain: z.number() });
const Hour = z.object({ date: z.iso.date(), hour: z.int() });
const Quality = { mae: "min", r2: "max" } as const;

const split = data("split", {
  inputs: { days: csv(Day), testFrom: z.iso.date() },
  outputs: { train: csv(Day), test: csv(Day), rows: z.int() },
  async run({ days, testFrom }, out) {
    let rows = 0;
    for await (const day of days) rows += day.date < testFrom ? day.rain : 0;
    await out.train.write([{ date: testFrom, rain: 1 }]);
    await out.test.write(days);
    // @ts-expect-error a row of another shape
    await out.test.write([{ date: testFrom, hour: 1 }]);
    // @ts-expect-error a value output is returned, not written
    out.rows.write(rows);
    return { rows };
  },
});

const fit = train("fit", {
  inputs: { days: csv(Day), trees: z.int(), seed: seed(), champion: optional(onnx()) },
  outputs: { model: onnx() },
  command: (i, o) => cmd`python fit.py --data ${i.days} --trees=${i.trees} --seed ${i.seed} --out ${o.model}`,
});

const score = evaluate("score", {
  inputs: { model: onnx(), days: csv(Day) },
  outputs: { metrics: metrics(Quality) },
  async run({ model: trained, days }) {
    const all = await days.all();
    return { metrics: { mae: all.length, r2: trained.path.length } };
  },
});

const goodEnough = gate("good-enough", {
  inputs: { model: onnx(), metrics: metrics(Quality), limit: z.number() },
  pass: "model",
  check: ({ metrics: measured, limit }) => measured.mae <= limit || `mae ${measured.mae} is above ${limit}`,
});

const publish = deploy("publish", {
  inputs: { model: approved(onnx()), note: z.string() },
  target: "deployed",
  run({ model: trained, note }, _out, { target }) {
    void [trained.path, note, target];
  },
});

const Params = z.object({ trees: z.int().default(100), testFrom: z.iso.date().default("2015-01-01") });

export const whole = pipeline("weather", Params, (p) => {
  const days = source("days.csv", csv(Day));
  const { train: past, test, rows } = split({ days, testFrom: p.testFrom });
  const { model: trained } = fit({ days: past, trees: p.trees, seed: 7 });
  const again = fit.as("fit-again").with({ retry: 2, timeout: "2h", resources: { gpu: 1 } });
  void again({ days: past, trees: rows, seed: rows, champion: trained });
  const { metrics: measured } = score({ model: trained, days: test });
  const ok = goodEnough({ model: trained, metrics: measured, limit: 3 });
  void publish({ model: ok.model, note: "first" });
  return { model: ok.model, metrics: measured };
});

export const mistakes = pipeline("mistakes", Params, (p) => {
  const days = source("days.csv", csv(Day));
  const hours = source("hours.csv", csv(Hour));
  const lines = source("days.jsonl", jsonl(Day));
  const { train: past, test, rows } = split({ days, testFrom: p.testFrom });
  const { model: trained } = fit({ days: past, trees: 1, seed: 1 });
  const { metrics: measured } = score({ model: trained, days: test });

  // @ts-expect-error swapped kinds
  void score({ model: test, days: trained });
  // @ts-expect-error jsonl is not csv
  void split({ days: lines, testFrom: p.testFrom });
  // @ts-expect-error rows of another shape
  void split({ days: hours, testFrom: p.testFrom });
  // @ts-expect-error a missing port
  void split({ days });
  // @ts-expect-error an extra port
  void split({ days, testFrom: p.testFrom, limit: 3 });
  // @ts-expect-error an output that the step does not have
  void split({ days, testFrom: p.testFrom }).validation;
  // @ts-expect-error a value of the wrong type
  void fit({ days: past, trees: "100", seed: 1 });
  // @ts-expect-error a ref to a value of the wrong type
  void split({ days, testFrom: rows });
  // @ts-expect-error a param that does not exist
  void fit({ days: past, trees: p.tree, seed: 1 });
  // @ts-expect-error a model that no gate approved
  void publish({ model: trained, note: "" });
  // @ts-expect-error a gate that gets a plain value for metrics
  void goodEnough({ model: trained, metrics: { mae: 1, r2: 2 }, limit: 3 });
  // @ts-expect-error an unknown option
  void fit.with({ retries: 2 });

  // @ts-expect-error a ref in a template string
  void `rows: ${rows}`;
  // @ts-expect-error a ref compared by order
  void (rows > 3);
  // @ts-expect-error a ref compared with a value
  void (rows === 3);
  // @ts-expect-error a ref in arithmetic
  void (rows + 1);

  return { measured };
});

// @ts-expect-error a pipeline returns refs
export const returnsNumber = pipeline("returns-number", Params, (p) => ({ trees: p.trees }));

export const forgottenReturn = evaluate("forgotten-return", {
  inputs: { days: csv(Day) },
  outputs: { metrics: metrics(Quality) },
  // @ts-expect-error metrics are returned
  async run({ days }) {
    await days.all();
  },
});

export const wrongMetric = evaluate("wrong-metric", {
  outputs: { metrics: metrics(Quality) },
  // @ts-expect-error r2 is missing, and rmse is no metric of this step
  run: () => ({ metrics: { mae: 1, rmse: 2 } }),
});

export const unknownMetric = gate("unknown-metric", {
  inputs: { model: onnx(), metrics: metrics(Quality) },
  pass: "model",
  // @ts-expect-error there is no metric auc
  check: ({ metrics: measured }) => measured.auc > 0.8,
});

export const narrower = gate("narrower", {
  inputs: { model: onnx(), metrics: metrics({ mae: "min" }) },
  pass: "model",
  check: () => true,
});

export const passesMetrics = gate("passes-metrics", {
  inputs: { model: onnx(), metrics: metrics(Quality) },
  // @ts-expect-error only a model can pass
  pass: "metrics",
  check: () => true,
});

export const ungated = deploy("ungated", {
  // @ts-expect-error the model has not passed a gate
  inputs: { model: onnx() },
  target: "deployed",
  run() {},
});

export const halfGated = deploy("half-gated", {
  // @ts-expect-error the challenger has not passed a gate
  inputs: { model: approved(onnx()), challenger: model("json") },
  target: "deployed",
  run() {},
});

export const nothingToDeploy = deploy("nothing-to-deploy", {
  // @ts-expect-error no approved model at all
  inputs: { note: z.string() },
  target: "deployed",
  run() {},
});

// @ts-expect-error both run and command
export const both = data("both", {
  outputs: { text: file("txt") },
  run() {},
  command: (_i, o) => cmd`touch ${o.text}`,
});

// @ts-expect-error neither run nor command
export const neither = data("neither", { outputs: { text: file("txt") } });

export const approvedOutput = train("approved-output", {
  inputs: { seed: seed() },
  outputs: { model: approved(onnx()) },
  run(_inputs, out) {
    // @ts-expect-error only a gate approves
    void out.model.write;
  },
});

const pick = evaluate("pick", {
  inputs: { models: many(onnx()), scores: many(metrics({ mae: "min" })) },
  outputs: { best: z.string(), curve: plot() },
  async run({ models, scores }, out) {
    await out.curve.write("<svg/>");
    const best = [...scores.keys()].find((key) => models.get(key)?.path !== "") ?? "";
    return { best };
  },
});

export const swept = pipeline("swept", Params, (p) => {
  const days = source("days.csv", csv(Day));
  const { train: past, test } = split({ days, testFrom: p.testFrom });
  const trials = each(
    [10, 20],
    (trees) => `trees=${trees}`,
    (trees) => {
      const { model: trained } = fit({ days: past, trees, seed: 1 });
      return { model: trained, metrics: score({ model: trained, days: test }).metrics };
    },
  );
  const joined: Ref<unknown> = trials.model;
  void joined;
  // @ts-expect-error models are no metrics
  void pick({ models: trials.metrics, scores: trials.model });
  const { best } = pick({ models: trials.model, scores: trials.metrics });
  const byHand = pick.as("pick-2")({
    models: { a: fit.as("a")({ days: past, trees: 1, seed: 1 }).model },
    scores: {},
  });
  void byHand;
  return { best };
});

export const folder = data("folder", {
  outputs: { images: dir(), list: file("txt") },
  async run(_inputs, out) {
    await out.list.write(out.images.path);
    // @ts-expect-error a folder is written by its path
    void out.images.write;
  },
});

// Values that are written out where they are returned.
data("listing", {
  outputs: { names: z.array(z.string()), nested: z.object({ pairs: z.array(z.array(z.number())) }) },
  run: () => ({ names: ["a", "b"], nested: { pairs: [[1, 2]] } }),
});

// Over a list that a step makes the item stands for all of them.
const Trial = z.object({ trees: z.int(), from: z.iso.date(), note: z.string().optional() });

const grid = data("grid", {
  outputs: {
    trials: z.array(Trial),
    sizes: z.array(z.int()),
    lines: jsonl(Trial),
    table: csv(Trial),
    one: z.int(),
  },
  run: () => ({ trials: [{ trees: 10, from: "2020-01-01" }], sizes: [1], one: 1 }),
});

const describeTrial = data("describe-trial", {
  inputs: { trial: Trial },
  outputs: { text: z.string() },
  run: ({ trial }) => ({ text: trial.from }),
});

const texts = data("texts", {
  inputs: { texts: many(z.string()), trees: many(z.int()) },
  outputs: { text: z.string() },
  run: ({ texts: all, trees }) => ({ text: [...all.keys()].join() + trees.size }),
});

export const sweptLater = pipeline("swept-later", Params, () => {
  const days = source("days.csv", csv(Day));
  const { trials, sizes, lines, table, one } = grid({});
  const all = each(trials, ["trees", "from"], (trial) => {
    const { train: past, test } = split({ days, testFrom: trial.at("from") });
    const { model: trained } = fit({ days: past, trees: trial.at("trees"), seed: 1 });
    // @ts-expect-error a field of the wrong type
    void fit({ days: past, trees: trial.at("from"), seed: 1 });
    // @ts-expect-error a field that items do not have
    void trial.at("depth");
    // @ts-expect-error an item has no fields before the run
    void trial.trees;
    return {
      model: trained,
      metrics: score({ model: trained, days: test }).metrics,
      text: describeTrial({ trial }).text,
      trees: trial.at("trees"),
    };
  });
  const { best } = pick({ models: all.model, scores: all.metrics });
  void texts({ texts: all.text, trees: all.trees });
  // @ts-expect-error texts are no numbers
  void texts({ texts: all.trees, trees: all.trees });
  // @ts-expect-error all of them are not one
  void score({ model: all.model, days });
  void each(lines, "trees", (trial) => describeTrial.as("line")({ trial }));
  void each(
    trials,
    (trial) => `${trial.trees}`,
    (trial) => describeTrial.as("by-function")({ trial }),
  );
  void each(sizes, "trees", (trees) => fit.as("by-size")({ days, trees, seed: 1 }));
  // @ts-expect-error a field that items do not have
  void each(trials, "depth", (trial) => describeTrial.as("no-field")({ trial }));
  // @ts-expect-error the columns of a csv file are not known as JSON
  void each(table, "trees", (trial) => describeTrial.as("of-table")({ trial }));
  // @ts-expect-error one is no list
  void each(one, "trees", (trees) => fit.as("of-one")({ days, trees, seed: 1 }));
  void each([{ lr: 0.1 }], "lr", ({ lr }) =>
    describeTrial.as(`trial-${lr}`)({ trial: { trees: 1, from: "" } }),
  );
  return { best };
});

// A checkpoint is given by mlpipe: no call mentions it.
const resumable = train("resumable", {
  inputs: { days: csv(Day), seed: seed(), saved: checkpoint() },
  outputs: { model: onnx() },
  async run({ saved }, out) {
    await out.model.write(saved.path);
    // @ts-expect-error a folder is written by its path
    void saved.write;
  },
});

const resumableCommand = train("resumable-command", {
  inputs: { days: csv(Day), seed: seed(), saved: checkpoint() },
  outputs: { model: onnx() },
  command: (i, o) => cmd`python fit.py --data ${i.days} --resume ${i.saved} --out ${o.model}`,
});

export const resumed = pipeline("resumed", () => {
  const days = source("days.csv", csv(Day));
  const { model: trained } = resumable({ days, seed: 1 });
  void resumableCommand({ days, seed: 1 });
  // @ts-expect-error a call cannot give it
  void resumable.as("given")({ days, seed: 1, saved: source("saved", dir()) });
  return { model: trained };
});

train("saved-is-no-output", {
  inputs: { seed: seed() },
  outputs: { saved: checkpoint() },
  run(_inputs, out) {
    // @ts-expect-error a checkpoint is no output
    void out.saved.path;
  },
});
