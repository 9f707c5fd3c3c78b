/** A small pipeline with every kind of step, in TypeScript and Python, that runs in a second. */
export const smallPipeline: Readonly<Record<string, string>> = {
  "data/points.csv": "x,y\n1,2\n2,4\n3,6\n4,8\n5,10\n6,12\n",
  "rows.ts": `import { z } from "zod";
export const Point = z.object({ x: z.number(), y: z.number() });
`,
  "steps/split.ts": `import { csv, data } from "mlpipe";
import { z } from "zod";
import { Point } from "../rows.ts";
import { isLate } from "../late.ts";
export const split = data("split", {
  inputs: { points: csv(Point), from: z.number() },
  outputs: { train: csv(Point), test: csv(Point), rows: z.int() },
  async run({ points, from }, out) {
    const all = await points.all();
    await out.train.write(all.filter((point) => !isLate(point.x, from)));
    await out.test.write(all.filter((point) => isLate(point.x, from)));
    return { rows: all.length };
  },
});
`,
  "late.ts": `export function isLate(x: number, from: number): boolean {
  return x >= from;
}
`,
  "steps/fit.ts": `import { cmd, csv, model, seed, train } from "mlpipe";
import { z } from "zod";
import { Point } from "../rows.ts";
export const fit = train("fit", {
  inputs: { points: csv(Point), shrink: z.number(), seed: seed() },
  outputs: { model: model("json") },
  command: (i, o) => cmd\`python3 fit.py --data \${i.points} --shrink \${i.shrink} --seed \${i.seed} --out \${o.model}\`,
});
`,
  "fit.py": `import argparse, csv, json
parser = argparse.ArgumentParser()
for name in ("data", "shrink", "seed", "out"):
    parser.add_argument("--" + name)
args = parser.parse_args()
with open(args.data) as file:
    rows = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(file)]
slope = sum(x * y for x, y in rows) / sum(x * x for x, _ in rows)
with open(args.out, "w") as file:
    json.dump({"slope": slope * float(args.shrink)}, file)
print("slope", slope)
`,
  "steps/score.ts": `import { csv, evaluate, metrics, model } from "mlpipe";
import { Point } from "../rows.ts";
export const score = evaluate("score", {
  inputs: { model: model("json"), points: csv(Point) },
  outputs: { metrics: metrics({ mae: "min" }) },
  async run({ model, points }) {
    const { slope } = JSON.parse(await model.text());
    const errors = (await points.all()).map(({ x, y }) => Math.abs(y - slope * x));
    return { metrics: { mae: errors.reduce((sum, error) => sum + error, 0) / errors.length } };
  },
});
`,
  "steps/gate.ts": `import { gate, metrics, model } from "mlpipe";
import { z } from "zod";
export const goodEnough = gate("good-enough", {
  inputs: { model: model("json"), metrics: metrics({ mae: "min" }), limit: z.number() },
  pass: "model",
  check: ({ metrics, limit }) => metrics.mae <= limit || \`mae \${metrics.mae} is above \${limit}\`,
});
`,
  "steps/publish.ts": `import { approved, deploy, model } from "mlpipe";
import { mkdir, rename, writeFile } from "node:fs/promises";
export const publish = deploy("publish", {
  inputs: { model: approved(model("json")) },
  target: "deployed",
  async run({ model }, _out, { target }) {
    await mkdir(target, { recursive: true });
    await writeFile(\`\${target}/model.json.new\`, await model.text());
    await rename(\`\${target}/model.json.new\`, \`\${target}/model.json\`);
  },
});
`,
  "line.pipeline.ts": `import { csv, pipeline, source } from "mlpipe";
import { z } from "zod";
import { Point } from "./rows.ts";
import { fit } from "./steps/fit.ts";
import { goodEnough } from "./steps/gate.ts";
import { publish } from "./steps/publish.ts";
import { score } from "./steps/score.ts";
import { split } from "./steps/split.ts";

const Params = z.object({
  from: z.number().default(5),
  shrink: z.number().default(1),
  seed: z.int().default(1),
  limit: z.number().default(1),
});

export default pipeline("line", Params, (p) => {
  const { train, test, rows } = split({ points: source("data/points.csv", csv(Point)), from: p.from });
  const { model } = fit({ points: train, shrink: p.shrink, seed: p.seed });
  const { metrics } = score({ model, points: test });
  const ok = goodEnough({ model, metrics, limit: p.limit });
  publish({ model: ok.model });
  return { model: ok.model, metrics, rows };
});
`,
};

/** Its steps in order. */
export const smallSteps = ["split", "fit", "score", "good-enough", "publish"];
