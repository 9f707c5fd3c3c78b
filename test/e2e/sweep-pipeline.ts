/** A sweep over a list that a step reads from a file: one training and one score for each trial, joined by `pick`. */
export const sweepPipeline: Readonly<Record<string, string>> = {
  "trials.json": JSON.stringify([
    { lr: 0.1, depth: 3 },
    { lr: 0.2, depth: 3 },
    { lr: 0.3, depth: 3 },
  ]),
  "steps.ts": `import { cmd, data, evaluate, file, json, many, metrics, model, seed, train } from "mlpipe";
import { z } from "zod";
export const Trial = z.object({ lr: z.number(), depth: z.int() });
export const grid = data("grid", {
  inputs: { file: json(z.array(Trial)) },
  outputs: { trials: z.array(Trial) },
  run: async ({ file }) => ({ trials: await file.read() }),
});
export const fit = train("fit", {
  inputs: { lr: z.number(), depth: z.int(), seed: seed() },
  outputs: { model: model("json") },
  command: (i, o) => cmd\`sh fit.sh \${i.lr} \${i.depth} \${o.model}\`,
  files: ["fit.sh"],
});
export const score = evaluate("score", {
  inputs: { model: model("json") },
  outputs: { metrics: metrics({ loss: "min" }) },
  command: (i, o) => cmd\`cp \${i.model} \${o.metrics}\`,
});
export const pick = evaluate("pick", {
  inputs: { scores: many(metrics({ loss: "min" })) },
  outputs: { best: z.string(), table: file("txt") },
  async run({ scores }, out) {
    await out.table.write([...scores].map(([key, { loss }]) => key + " " + loss + "\\n").join(""));
    const [best] = [...scores].sort(([, a], [, b]) => a.loss - b.loss);
    return { best: best === undefined ? "none" : best[0] };
  },
});
`,
  "fit.sh": `echo "training with lr $1 and depth $2"
echo "{\\"loss\\": $1}" > "$3"
`,
  "sweep.pipeline.ts": `import { each, json, pipeline, source } from "mlpipe";
import { z } from "zod";
import { fit, grid, pick, score, Trial } from "./steps.ts";
export default pipeline("sweep", z.object({ seed: z.int().default(1) }), (p) => {
  const { trials } = grid({ file: source("trials.json", json(z.array(Trial))) });
  const { model, metrics } = each(trials, "lr", (trial) => {
    const { model } = fit({ lr: trial.at("lr"), depth: trial.at("depth"), seed: p.seed });
    return { model, metrics: score({ model }).metrics };
  });
  return { ...pick({ scores: metrics }), model };
});
`,
};
