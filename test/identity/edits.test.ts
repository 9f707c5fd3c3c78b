/** Edits of code and packages: each re-runs exactly the steps that it can reach, with the line that says why. */
import { lockfile } from "./edited-pipeline.ts";
import {
  afterClean,
  afterFit,
  afterLoad,
  afterLook,
  afterScore,
  rowsOfClean,
  rowsOfLoad,
  testEdits,
} from "./edit-table.ts";

testEdits({
  "what says nothing to Node": [
    ["a comment", (p) => p.prepend("features/shift.ts", "// shifts\n"), {}],
    ["a JSDoc", (p) => p.edit("steps/prepare.ts", "/** Reads the raw days. */", "/** Reads. */"), {}],
    ["a type annotation", (p) => p.edit("features/shift.ts", "): number =>", ") =>"), {}],
    ["an interface", (p) => p.edit("types.ts", "window: number", "window: number; more?: string"), {}],
    [
      "formatting",
      (p) => p.edit("mean.ts", "xs.reduce((sum, x) => sum + x, 0)", "xs\n    .reduce( (sum,x)=>sum+x, 0 )"),
      {},
    ],
    ["semicolons and quotes", (p) => p.edit("features/lag.ts", '"./shift.ts";', "'./shift.ts'"), {}],
    [
      "the order of imports",
      (p) =>
        p.edit(
          "steps/prepare.ts",
          'import { csv, data } from "mlpipe";\nimport { z } from "zod";',
          'import { z } from "zod";\nimport { csv, data } from "mlpipe";',
        ),
      {},
    ],
    [
      "the order of names in an import",
      (p) => p.edit("steps/prepare.ts", "lag, rolling", "rolling, lag"),
      {},
    ],
    ["an import of a type", (p) => p.prepend("mean.ts", 'import type { Options } from "./types.ts";\n'), {}],
  ],
  "what is beside it": [
    ["an unrelated function", (p) => p.edit("checks.ts", "x % 2 === 0", "x % 2 !== 1"), {}],
    [
      "an unrelated function added",
      (p) => p.append("mean.ts", "export const median = (xs: number[]): number => xs[0] ?? 0;\n"),
      {},
    ],
    [
      "an unrelated function of the step's module",
      (p) => p.edit("steps/prepare.ts", "return 1", "return 2"),
      {},
    ],
    ["an unrelated constant", (p) => p.edit("constants.ts", "OTHER = 3", "OTHER = 4"), {}],
    [
      "an unrelated schema",
      (p) => p.append("rows.ts", "export const Other = z.object({ q: z.string() });\n"),
      {},
    ],
    [
      "a sibling's body",
      (p) => p.edit("steps/prepare.ts", "rain <= limits.high", "rain < limits.high"),
      { clean: "code: clean in steps/prepare.ts changed", ...afterClean },
    ],
    [
      "a sibling's schema",
      (p) => p.edit("steps/prepare.ts", "offset: z.number()", "offset: z.number().min(0)"),
      { load: "code: load in steps/prepare.ts changed", ...afterLoad },
    ],
    ["a module that nobody loads", (p) => p.edit("elsewhere.ts", "nothing = 1", "nothing = 2"), {}],
    ["a module removed that nobody loads", (p) => p.remove("elsewhere.ts"), {}],
    [
      "the wiring of the pipeline, to the same end",
      (p) =>
        p.edit(
          "days.pipeline.ts",
          "const cleaned = clean(",
          'const cleaned = clean.with({ retry: 2, timeout: "1h" })(',
        ),
      {},
    ],
    [
      "a description",
      (p) =>
        p.edit(
          "steps/prepare.ts",
          "inputs: { rows: csv(Day), limits",
          'description: "Cleans.",\n  inputs: { rows: csv(Day), limits',
        ),
      { clean: "code: clean in steps/prepare.ts changed", ...afterClean },
    ],
  ],
  declarations: [
    [
      "a helper two imports away",
      (p) => p.edit("features/shift.ts", "x + by", "x - by"),
      { load: "code: shift in features/shift.ts changed", ...afterLoad },
    ],
    [
      "a constant",
      (p) => p.edit("constants.ts", "SCALE = 2", "SCALE = 3"),
      { clean: "code: SCALE in constants.ts changed", ...afterClean },
    ],
    [
      "an enum",
      (p) => p.edit("splits.ts", "train,", "train = 4,"),
      { look: "code: Split in splits.ts changed", ...afterLook },
    ],
    ["a comment in an enum", (p) => p.edit("splits.ts", "train,", "// To learn from.\n  train,"), {}],
    [
      "imports with their endings written out",
      (p) => {
        p.edit("features/index.ts", "./roll.js", "./roll.ts");
        p.edit("steps/prepare.ts", `"../features"`, `"../features/index.ts"`);
      },
      {},
    ],
    [
      "a file put where an import without an ending leads first",
      (p) =>
        p.write({
          "features.ts": `export * from "./features/index.ts";\nexport const lag = (x: number): number => x - 2;\n`,
        }),
      {
        load: [
          "code: lag in features.ts was added",
          "code: lagBy in features/lag.ts was removed",
          "code: shift in features/shift.ts was removed",
          "code: load in steps/prepare.ts changed",
        ],
        ...afterLoad,
      },
    ],
    [
      "a JSON import",
      (p) => p.edit("settings.json", "3", "4"),
      { load: "code: settings.json changed", ...afterLoad },
    ],
    [
      "a text file by its URL",
      (p) => p.edit("prompt.txt", "sky", "sea"),
      { watch: "code: prompt.txt changed" },
    ],
    [
      "a worker by its URL",
      (p) => p.edit("worker.ts", "job();", "job();\njob();"),
      { watch: "code: (top level) in worker.ts changed" },
    ],
    [
      "a helper of a worker",
      (p) => p.edit("job.ts", "=> 1", "=> 2"),
      { watch: "code: job in job.ts changed" },
    ],
    [
      "a re-export of another declaration",
      (p) => p.edit("features/index.ts", "lagBy as lag", "lagBy as other, lagBy as lag"),
      {},
    ],
    [
      "a re-export that leads elsewhere",
      (p) => {
        p.append("features/lag.ts", "export const lagTwo = (x: number): number => x - 2;\n");
        p.edit("features/index.ts", "lagBy as lag", "lagTwo as lag");
      },
      {
        load: [
          "code: lagBy in features/lag.ts was removed",
          "code: lagTwo in features/lag.ts was added",
          "code: shift in features/shift.ts was removed",
          "code: load in steps/prepare.ts changed",
        ],
        ...afterLoad,
      },
    ],
    [
      "a declaration behind export *",
      (p) => p.edit("features/roll.ts", "x * SCALE", "x / SCALE"),
      { clean: "code: rolling in features/roll.ts changed", ...afterClean },
    ],
    ["another declaration behind export *", (p) => p.edit("features/roll.ts", "=> x;", "=> x + 1;"), {}],
    [
      "a default export",
      (p) => p.edit("mean.ts", "/ xs.length", "* xs.length"),
      { clean: "code: mean in mean.ts changed", ...afterClean },
    ],
    [
      "a local renamed",
      (p) =>
        p.edit(
          "features/shift.ts",
          "(x: number, by: number): number => x + by",
          "(x: number, n: number): number => x + n",
        ),
      { load: "code: shift in features/shift.ts changed", ...afterLoad },
    ],
    [
      "a default of a parameter",
      (p) => p.edit("features/lag.ts", "window = 1", "window = 2"),
      { load: "code: lagBy in features/lag.ts changed", ...afterLoad },
    ],
    [
      "a module found by a dynamic import",
      (p) => p.edit("lazy.ts", "text + text", "text.repeat(2)"),
      { watch: "code: twice in lazy.ts changed" },
    ],
    [
      "a class with a static block",
      (p) => p.edit("counter.ts", "[1, 2]", "[1, 2, 3]"),
      { look: "code: Counter in counter.ts changed", ...afterLook },
    ],
    [
      "state of a module",
      (p) => p.edit("state.ts", "current = 0;\nexport", "current = 1;\nexport"),
      { look: "code: state.ts changed", ...afterLook },
    ],
    [
      "what else changes a module's state",
      (p) => p.edit("state.ts", "current = 0;\n}", "current = 1;\n}"),
      { look: "code: state.ts changed", ...afterLook },
    ],
    [
      "an effect at the top of a module",
      (p) => p.edit("registry.ts", 'add("look")', 'add("glance")'),
      { look: "code: (top level) in registry.ts changed", ...afterLook },
    ],
    [
      "an effect added far away, where a package says that it has none",
      (p) => p.append("features/shift.ts", "console.error(1);\n"),
      {
        load: "code: (top level) in features/shift.ts was added",
        clean: [rowsOfLoad, "code: (top level) in features/shift.ts was added"],
        ...afterClean,
      },
    ],
    [
      "a pure annotation, which is not believed",
      (p) => p.append("mean.ts", "const none = /* @__PURE__ */ Math.random();\n"),
      {
        load: "code: none in mean.ts was added",
        clean: [rowsOfLoad, "code: none in mean.ts was added"],
        ...afterClean,
      },
    ],
    [
      "a port's schema tightened",
      (p) => p.edit("rows.ts", "z.object({ date", "z.object({ place: z.string().optional(), date"),
      {
        load: "code: Day in rows.ts changed",
        clean: [rowsOfLoad, "code: Day in rows.ts changed"],
        fit: [rowsOfClean, "code: Day in rows.ts changed"],
        ...afterFit,
        score: ["input model changed (from fit)", rowsOfClean, "code: Day in rows.ts changed"],
      },
    ],
    [
      "a .refine tightened, of a command's port too",
      (p) => p.edit("checks.ts", "< bound", "<= bound"),
      {
        load: "code: isFinite in checks.ts changed",
        clean: [rowsOfLoad, "code: isFinite in checks.ts changed"],
        fit: [rowsOfClean, "code: isFinite in checks.ts changed"],
        ...afterFit,
        score: ["input model changed (from fit)", rowsOfClean, "code: isFinite in checks.ts changed"],
      },
    ],
    [
      "a schema of a command alone",
      (p) => p.edit("rows.ts", "word: z.string()", "word: z.string().min(1)"),
      { embed: "code: Vector in rows.ts changed" },
    ],
    [
      "a function of the user's that is named data",
      (p) => {
        p.write({
          "own.ts":
            "export function data(name: string): string {\n  globalThis.name = name;\n  return name;\n}\n",
        });
        p.edit(
          "features/shift.ts",
          "export",
          'import { data } from "../own.ts";\nexport const made = data("lag");\nexport',
        );
      },
      {
        load: ["code: made in features/shift.ts was added", "code: data in own.ts was added"],
        clean: [rowsOfLoad, "code: made in features/shift.ts was added", "code: data in own.ts was added"],
        ...afterClean,
      },
    ],
    [
      "a function of the user's that is named lag",
      (p) =>
        p.edit(
          "steps/prepare.ts",
          "/** Nothing uses it. */",
          "export const lagged = lag(1);\n/** Nothing uses it. */",
        ),
      {
        load: "code: lagged in steps/prepare.ts was added",
        clean: [
          rowsOfLoad,
          "code: lagBy in features/lag.ts was added",
          "code: shift in features/shift.ts was added",
          "code: lagged in steps/prepare.ts was added",
        ],
        ...afterClean,
      },
    ],
    [
      "a step's text by case",
      (p) => p.edit("steps/watch.ts", '"utf8"', '"UTF8"'),
      { watch: "code: watch in steps/watch.ts changed" },
    ],
    [
      "a gate's check",
      (p) => p.edit("steps/deploy.ts", "metrics.mae <= limit", "metrics.mae < limit"),
      { good: "code: good in steps/deploy.ts changed" },
    ],
    [
      "a deploy's function",
      (p) => p.edit("steps/deploy.ts", "await model.text()", "`${await model.text()}\\n`"),
      { publish: "code: publish in steps/deploy.ts changed" },
    ],
    [
      "a step moved to another module",
      (p) => {
        p.write({ "steps/watching.ts": p.read("steps/watch.ts") });
        p.remove("steps/watch.ts");
        p.edit("days.pipeline.ts", "steps/watch.ts", "steps/watching.ts");
      },
      {
        watch: [
          "code: watch in steps/watch.ts was removed",
          "code: watch in steps/watching.ts was added",
          "the step is watch in steps/watching.ts, and was watch in steps/watch.ts",
        ],
      },
    ],
    [
      "a computed import",
      (p) =>
        p.edit(
          "steps/watch.ts",
          'import("../lazy.ts")',
          'import(`../${"lazy"}${prompt.length > 0 ? "" : "1"}.ts`)',
        ),
      { watch: "not cached: a computed import() cannot be followed" },
    ],
    [
      "a computed import, its files named",
      (p) => {
        p.edit(
          "steps/watch.ts",
          'import("../lazy.ts")',
          'import(`../${"lazy"}${prompt.length > 0 ? "" : "1"}.ts`)',
        );
        p.edit("steps/watch.ts", "inputs: {},", 'inputs: {},\n  files: ["lazy.ts"],');
      },
      {
        watch: [
          "code: lazy.ts was added",
          "code: twice in lazy.ts was removed",
          "code: watch in steps/watch.ts changed",
        ],
      },
    ],
    [
      "eval",
      (p) => p.edit("mean.ts", "return xs", 'eval("1");\n  return xs'),
      { clean: "not cached: eval cannot be followed", ...afterClean },
    ],
  ],
  packages: [
    [
      "another version installed",
      (p) => {
        p.edit("node_modules/stats/package.json", "1.0.0", "1.1.0");
        p.write({ "package-lock.json": lockfile({ stats: "1.1.0", sums: "1.0.0", idle: "1.0.0" }) });
      },
      { score: "package stats 1.0.0+… → 1.1.0+…", ...afterScore },
    ],
    [
      "another version installed and not locked",
      (p) => p.edit("node_modules/stats/package.json", "1.0.0", "1.1.0"),
      { score: "package stats 1.0.0+… → 1.1.0+…", ...afterScore },
    ],
    [
      "another version of what it depends on",
      (p) => p.edit("node_modules/sums/package.json", "1.0.0", "1.0.1"),
      { score: "package sums 1.0.0+… → 1.0.1+…", ...afterScore },
    ],
    [
      "another version locked alone",
      (p) =>
        p.edit(
          "package-lock.json",
          '"node_modules/idle": {\n      "version": "1.0.0"',
          '"node_modules/idle": {\n      "version": "1.2.0"',
        ),
      {},
    ],
    [
      "another version of a used one locked alone",
      (p) =>
        p.edit(
          "package-lock.json",
          '"node_modules/stats": {\n      "version": "1.0.0"',
          '"node_modules/stats": {\n      "version": "1.2.0"',
        ),
      { score: "package stats 1.0.0+… → 1.0.0+…", ...afterScore },
    ],
    [
      "other bytes under the same version by the lockfile",
      (p) => p.edit("package-lock.json", "sha512-", "sha512-A"),
      { score: "package stats 1.0.0+… → 1.0.0+…", ...afterScore },
    ],
    ["a package that no step reaches", (p) => p.edit("node_modules/idle/package.json", "1.0.0", "2.0.0"), {}],
    [
      "a package installed that nobody imports",
      (p) => p.write({ "node_modules/more/package.json": '{ "name": "more", "version": "1.0.0" }' }),
      {},
    ],
    [
      "the source of a workspace package",
      (p) => p.edit("packages/shared/index.ts", "Math.abs(a - b)", "(a - b) ** 2"),
      { score: "code: error in packages/shared/index.ts changed", ...afterScore },
    ],
    [
      "an unrelated declaration of a workspace package",
      (p) => p.edit("packages/shared/index.ts", "=> a;", "=> -a;"),
      {},
    ],
    [
      "the version of a workspace package",
      (p) => p.edit("packages/shared/package.json", "1.0.0", "1.0.1"),
      {},
    ],
    [
      "where a workspace package's exports lead",
      (p) => {
        p.write({
          "packages/shared/other.ts": "export const error = (a: number, b: number): number => a / b;\n",
        });
        p.edit("packages/shared/package.json", "./index.ts", "./other.ts");
      },
      {
        score: [
          "code: error in packages/shared/index.ts was removed",
          "code: error in packages/shared/other.ts was added",
          "code: score in steps/score.ts changed",
        ],
        ...afterScore,
      },
    ],
    [
      "a workspace package replaced by an installed one",
      (p) => {
        const files = {
          "package.json": p.read("packages/shared/package.json").replace("index.ts", "index.js"),
          "index.js": "export const error = (a, b) => a - b;\n",
        };
        p.remove("node_modules/@days/shared");
        p.write(
          Object.fromEntries(
            Object.entries(files).map(([name, text]) => [`node_modules/@days/shared/${name}`, text]),
          ),
        );
      },
      {
        score: [
          "code: error in packages/shared/index.ts was removed",
          "code: score in steps/score.ts changed",
          "package @days/shared (none) → 1.0.0+…",
        ],
        ...afterScore,
      },
    ],
    [
      "a version of its own for what depends on it",
      (p) =>
        p.write({
          "node_modules/stats/node_modules/sums/package.json":
            '{ "name": "sums", "version": "0.9.0", "type": "module", "exports": "./index.js" }',
          "node_modules/stats/node_modules/sums/index.js": "export const sum = () => 0;\n",
        }),
      { score: "package sums 1.0.0+… → 0.9.0+…", ...afterScore },
    ],
    [
      "an unlocked package edited in place",
      (p) => {
        p.remove("package-lock.json");
        p.append("node_modules/stats/index.js", "export const more = 1;\n");
      },
      { score: ["package stats 1.0.0+… → 1.0.0+…", "package sums 1.0.0+… → 1.0.0+…"], ...afterScore },
    ],
    [
      "a package edited in place that the lockfile vouches for",
      (p) => p.append("node_modules/stats/index.js", "export const more = 1;\n"),
      {},
    ],
    [
      "scripts of package.json",
      (p) => p.edit("package.json", '"type"', '"scripts": { "x": "y" }, "type"'),
      {},
    ],
  ],
});
