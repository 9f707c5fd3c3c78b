/**
 * The project that the table of edits edits: every way by which something reaches a step, at least
 * once, and beside it what reaches none.
 */
import { createHash } from "node:crypto";

/** Files by path from the folder of a sandbox: `project/` is the project, the rest lies around it. */
export type Files = Readonly<Record<string, string>>;

const typescript: Files = {
  "package.json": '{ "name": "days", "type": "module", "sideEffects": false }\n',
  "days.pipeline.ts": `import { csv, dir, pipeline, source } from "mlpipe";
import { Day, Params } from "./rows.ts";
import { embed, fit, shrink } from "./steps/commands.ts";
import { good, publish } from "./steps/deploy.ts";
import { look } from "./steps/look.ts";
import { clean, load } from "./steps/prepare.ts";
import { score } from "./steps/score.ts";
import { watch } from "./steps/watch.ts";

export default pipeline("days", Params, (p) => {
  const { rows } = load({ days: source("data/days.csv", csv(Day)), offset: p.offset });
  const cleaned = clean({ rows, limits: p.limits });
  const { n } = look({ photos: source("data/photos", dir()) });
  const { model } = fit({ rows: cleaned.rows, trees: p.trees, seed: p.seed });
  const { vectors } = embed({ words: p.words });
  const { small } = shrink({ model });
  const { metrics } = score({ model, rows: cleaned.rows, n });
  const ok = good({ model, metrics, limit: p.limit });
  publish({ model: ok.model });
  const { text } = watch({});
  return { metrics, small, vectors, text };
});
`,
  "rows.ts": `import { z } from "zod";
import { isFinite } from "./checks.ts";
export const Day = z.object({ date: z.string(), rain: z.number().refine(isFinite) });
export const Limits = z.object({ low: z.number(), high: z.number() });
export const Vector = z.object({ word: z.string() });
export const Params = z.object({
  offset: z.number().default(1),
  limits: Limits.default({ low: 0, high: 10 }),
  trees: z.int().default(100),
  seed: z.int().default(1),
  words: z.array(z.string()).default(["rain", "sun"]),
  limit: z.number().default(1),
  note: z.string().default(""),
});
`,
  "checks.ts": `const bound = 1_000;
export function isFinite(x: number): boolean {
  return Math.abs(x) < bound;
}
export const isEven = (x: number): boolean => x % 2 === 0;
`,
  "steps/prepare.ts": `import { csv, data } from "mlpipe";
import { z } from "zod";
import type { Options } from "../types.ts";
import { Day, Limits } from "../rows.ts";
import { lag, rolling } from "../features";
import mean from "../mean.ts";
import settings from "../settings.json" with { type: "json" };

/** Reads the raw days. */
export const load = data("load", {
  inputs: { days: csv(Day), offset: z.number() },
  outputs: { rows: csv(Day) },
  async run({ days, offset }, out) {
    const options: Options = { window: settings.window };
    const all = await days.all();
    await out.rows.write(all.map((day) => ({ ...day, rain: lag(day.rain, options.window) + offset })));
  },
});

export const clean = data("clean", {
  inputs: { rows: csv(Day), limits: Limits },
  outputs: { rows: csv(Day) },
  async run({ rows, limits }, out) {
    const all = await rows.all();
    const centre = mean(all.map(({ rain }) => rolling(rain)));
    await out.rows.write(all.filter(({ rain }) => rain - centre >= limits.low && rain <= limits.high));
  },
});

/** Nothing uses it. */
export function unused(): number {
  return 1;
}
`,
  "types.ts": "export interface Options { window: number }\n",
  "features/index.ts": `export { lagBy as lag } from "./lag";
export * from "./roll.js";
`,
  "features/lag.ts": `import { shift } from "./shift.ts";
export function lagBy(x: number, window = 1): number {
  return shift(x, -window);
}
`,
  "features/shift.ts": "export const shift = (x: number, by: number): number => x + by;\n",
  "features/roll.ts": `import { SCALE } from "../constants.ts";
export const rolling = (x: number): number => x * SCALE;
export const expanding = (x: number): number => x;
`,
  "constants.ts": `export const SCALE = 2;
export const OTHER = 3;
`,
  "mean.ts": `export default function mean(xs: readonly number[]): number {
  return xs.reduce((sum, x) => sum + x, 0) / xs.length;
}
`,
  "settings.json": '{ "window": 3 }\n',
  "steps/look.ts": `import { data, dir, secret } from "mlpipe";
import { z } from "zod";
import { Counter } from "../counter.ts";
import { Split } from "../splits.ts";
import { next } from "../state.ts";
import { names } from "../registry.ts";

export const look = data("look", {
  inputs: { photos: dir() },
  outputs: { n: z.int() },
  env: ["REGION", secret("TOKEN")],
  async run({ photos }) {
    const files = await photos.list();
    return { n: files.length + Counter.size + Split.test + next() + names.size };
  },
});
`,
  "counter.ts": `export class Counter {
  static size = 0;
  static {
    Counter.size = [1, 2].length;
  }
}
`,
  "splits.ts": `export enum Split {
  train,
  test,
}
`,
  "state.ts": `let current = 0;
export function next(): number {
  return ++current;
}
export function reset(): void {
  current = 0;
}
`,
  "registry.ts": `export const names = new Set<string>();
names.add("look");
`,
  "steps/watch.ts": `import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { data } from "mlpipe";
import { z } from "zod";

export const watch = data("watch", {
  inputs: {},
  outputs: { text: z.string() },
  async run() {
    const prompt = readFileSync(new URL("../prompt.txt", import.meta.url), "utf8");
    const worker = new Worker(new URL("../worker.ts", import.meta.url));
    await worker.terminate();
    const { twice } = await import("../lazy.ts");
    return { text: twice(prompt) };
  },
});
`,
  "prompt.txt": "Look at the sky.\n",
  "worker.ts": `import { job } from "./job.ts";
job();
`,
  "job.ts": "export const job = (): number => 1;\n",
  "lazy.ts": "export const twice = (text: string): string => text + text;\n",
  "steps/score.ts": `import { csv, evaluate, metrics, model } from "mlpipe";
import { z } from "zod";
import { error } from "@days/shared";
import { spread } from "stats";
import { Day } from "../rows.ts";

export const score = evaluate("score", {
  inputs: { model: model("json"), rows: csv(Day), n: z.int() },
  outputs: { metrics: metrics({ mae: "min" }) },
  async run({ rows, n }) {
    const all = (await rows.all()).map(({ rain }) => rain);
    return { metrics: { mae: error(spread(all), n) } };
  },
});
`,
  "packages/shared/package.json":
    '{ "name": "@days/shared", "version": "1.0.0", "type": "module", "exports": "./index.ts" }\n',
  "packages/shared/index.ts": `export const error = (a: number, b: number): number => Math.abs(a - b);
export const other = (a: number): number => a;
`,
  "steps/deploy.ts": `import { writeFile } from "node:fs/promises";
import { approved, deploy, gate, metrics, model } from "mlpipe";
import { z } from "zod";

export const good = gate("good", {
  inputs: { model: model("json"), metrics: metrics({ mae: "min" }), limit: z.number() },
  pass: "model",
  check: ({ metrics, limit }) => metrics.mae <= limit || "too far off",
});

export const publish = deploy("publish", {
  inputs: { model: approved(model("json")) },
  target: "deployed.json",
  async run({ model }, _out, { target }) {
    await writeFile(target, await model.text());
  },
});
`,
  "elsewhere.ts": 'console.error("nobody loads this");\nexport const nothing = 1;\n',
};

const installed: Files = {
  "node_modules/stats/package.json":
    '{ "name": "stats", "version": "1.0.0", "type": "module", "exports": "./index.js", "dependencies": { "sums": "*" } }\n',
  "node_modules/stats/index.js":
    'import { sum } from "sums";\nexport const spread = (xs) => sum(xs) / xs.length;\n',
  "node_modules/sums/package.json":
    '{ "name": "sums", "version": "1.0.0", "type": "module", "exports": "./index.js" }\n',
  "node_modules/sums/index.js": "export const sum = (xs) => xs.reduce((a, b) => a + b, 0);\n",
  "node_modules/idle/package.json":
    '{ "name": "idle", "version": "1.0.0", "type": "module", "exports": "./index.js" }\n',
  "node_modules/idle/index.js": "export const idle = 1;\n",
  "package-lock.json": lockfile({ stats: "1.0.0", sums: "1.0.0", idle: "1.0.0" }),
};

const commands: Files = {
  "steps/commands.ts": `import { cmd, csv, data, file, model, seed, train } from "mlpipe";
import { z } from "zod";
import { Day, Vector } from "../rows.ts";

export const fit = train("fit", {
  inputs: { rows: csv(Day), trees: z.int(), seed: seed() },
  outputs: { model: model("json") },
  command: (i, o) =>
    cmd\`python3 fit.py --rows \${i.rows} --trees \${i.trees} --seed \${i.seed} --out \${o.model}\`,
});

export const embed = data("embed", {
  inputs: { words: z.array(z.string()) },
  outputs: { vectors: csv(Vector) },
  command: (i, o) => cmd\`python3 -m words.embed --lists words/lists \${i.words} \${o.vectors}\`,
});

export const shrink = data("shrink", {
  inputs: { model: model("json") },
  outputs: { small: file("bin") },
  files: ["rules/**/*.txt"],
  env: ["TZ"],
  command: (i, o) => cmd\`shrink --level 3 --config config/shrink.toml \${i.model} \${o.small}\`,
});
`,
  "fit.py": `"""Grows a forest."""
import argparse
import numlib
from forest import grow

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--rows")
args = parser.parse_known_args()
print(grow.grow(numlib.one))
`,
  "forest/__init__.py": "SIZE = 10\n",
  "forest/grow.py": `from . import SIZE
from .prune import prune


def grow(n):
    """A forest of trees."""
    return prune(n) * SIZE
`,
  "forest/prune.py": "def prune(n):\n    return n - 1  # one less\n",
  "forest/unused.py": "raise SystemExit\n",
  "words/__init__.py": "",
  "words/lists/common.txt": "rain\nsun\n",
  "words/embed.py": "from words.spell import spell\nprint(spell('x'))\n",
  "words/spell.py": "def spell(word):\n    return word.lower()\n",
  "config/shrink.toml": "level = 3\n",
  "rules/a.txt": "a\n",
  "rules/deep/b.txt": "b\n",
  "rules/readme.md": "The rules.\n",
};

const data: Files = {
  "data/days.csv": "date,rain\n2026-01-01,1\n2026-01-02,2\n2026-01-03,3\n",
  "data/photos/one.png": "one",
  "data/photos/two.png": "two",
  "data/photos/old/three.png": "three",
};

/** A lockfile of npm that holds these versions. */
export function lockfile(versions: Readonly<Record<string, string>>): string {
  const packages = Object.entries(versions).map(([name, version]) => [
    `node_modules/${name}`,
    { version, integrity: `sha512-${createHash("sha512").update(`${name}@${version}`).digest("base64")}` },
  ]);
  return `${JSON.stringify({ lockfileVersion: 3, packages: Object.fromEntries(packages) }, null, 2)}\n`;
}

/** A Python distribution as pip unpacks it, by path from `site-packages`. */
export function distribution(name: string, version: string, text: string): Files {
  const info = `${name}-${version}.dist-info`;
  const digest = createHash("sha256").update(text).digest("base64url");
  return {
    [`${name}.py`]: text,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    [`${info}/RECORD`]: `${name}.py,sha256=${digest},${Buffer.byteLength(text)}\n${info}/METADATA,,\n`,
  };
}

/** The program that the step `shrink` starts. */
export const shrinkProgram = "#!/bin/sh\nhead -c 10\n";

/** The files of the project. */
export const editedPipeline: Files = { ...typescript, ...installed, ...commands, ...data };
