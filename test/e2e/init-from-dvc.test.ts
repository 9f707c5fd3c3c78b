/** A DVC project becomes a pipeline: every construct is carried or named, and what runs makes the same as before. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Project } from "./project.ts";

const repository = join(import.meta.dirname, "../..");
const tsc = join(repository, "node_modules/.bin/tsc");

/** What `init --json` says of an import. */
interface ImportJson {
  readonly files: readonly string[];
  readonly ready: boolean;
  readonly stages: number;
  readonly notCarried: readonly Remark[];
  readonly carriedOtherwise: readonly Remark[];
  readonly absent: readonly string[];
}

interface Remark {
  readonly message: string;
  readonly at: { readonly file: string; readonly line: number; readonly column: number };
}

function dvcProject(fixture: string): Project {
  const project = new Project({});
  cpSync(join(import.meta.dirname, "fixtures", fixture), project.root, { recursive: true });
  const yaml = realpathSync(join(repository, "packages/mlpipe/node_modules/yaml"));
  symlinkSync(yaml, join(project.root, "node_modules/yaml"));
  mkdirSync(join(project.root, "node_modules/@types"));
  const node = realpathSync(join(repository, "node_modules/@types/node"));
  symlinkSync(node, join(project.root, "node_modules/@types/node"));
  return project;
}

async function imported(project: Project, ...args: readonly string[]): Promise<ImportJson> {
  const { exit, stdout, stderr } = await project.mlpipe("init", ...args, "--from-dvc", "--json");
  expect(exit, stderr).toBe(0);
  // The shape is asserted below.
  return JSON.parse(stdout) as ImportJson;
}

let fruit: Project;
let constructs: Project;
let fruitJson: ImportJson;
let constructsJson: ImportJson;

beforeAll(async () => {
  fruit = dvcProject("dvc-fruit");
  constructs = dvcProject("dvc-constructs");
  [fruitJson, constructsJson] = await Promise.all([imported(fruit), imported(constructs)]);
});

afterAll(() => {
  fruit[Symbol.dispose]();
  constructs[Symbol.dispose]();
});

const said = ({ message, at }: Remark): string => `${at.file}:${at.line}:${at.column} ${message}`;
const pipelineOf = (project: Project, { files }: ImportJson): string =>
  project.read(files.find((name) => name.endsWith(".pipeline.ts")) ?? "");

describe("what a dvc.yaml has", () => {
  it("is named with its place where it is not carried", () => {
    expect(constructsJson.notCarried.map(said)).toMatchInlineSnapshot(`
      [
        "data/spare.bin.dvc:1:1 Where the data was imported from is not carried: dvc update still brings a newer one.",
        "data/spare.bin.dvc:6:5 data/spare.bin is tracked, and no stage takes it.",
        "dvc.yaml:13:9 https://example.org/raw.txt is not part of the key: the step is not cached (cache: false).",
        "dvc.yaml:16:11 desc of \${folder}/raw.txt: not carried.",
        "dvc.yaml:17:11 remote of \${folder}/raw.txt: not carried.",
        "dvc.yaml:18:11 push of \${folder}/raw.txt: not carried.",
        "dvc.yaml:19:11 persist of \${folder}/raw.txt: each run begins without the file of the one before.",
        "dvc.yaml:28:9 data/absent.sh is not there, and is left out.",
        "dvc.yaml:32:9 params.yaml has no not.there.",
        "dvc.yaml:43:5 meta: not carried.",
        "dvc.yaml:74:11 type of scores.json: not carried.",
        "dvc.yaml:78:11 template of curve.csv: the data is an output, how it is drawn is not carried.",
        "dvc.yaml:82:5 retries: not known.",
        "dvc.yaml:95:9 s3://bucket/report.html lies outside of the project, and is no output.",
        "dvc.yaml:98:5 nowhere.json is no output of a stage.",
        "dvc.yaml:100:5 How Scores is drawn is not carried; the data is, where a stage makes it.",
        "dvc.yaml:103:5 shown.yaml: params that DVC only shows; those of stages are carried.",
        "dvc.yaml:108:5 labels of joined-model: not carried.",
        "dvc.yaml:109:3 loose: data/table.csv is no output of a stage, and the pipeline returns it under no name.",
        "dvc.yaml:112:5 A dataset is not carried: name its data as a source.",
        "dvc.yaml:114:1 surprise: not known.",
      ]
    `);
  });

  it("is named where it is carried in another way", () => {
    expect(constructsJson.carriedOtherwise.map(said)).toMatchInlineSnapshot(`
      [
        "dvc.yaml:29:9 /etc/hostname lies outside of the project, and is read where it lies.",
        "dvc.yaml:33:9 lags.0: all of the list lags is the input.",
        "dvc.yaml:38:13 tool.level: all of conf/tool.toml is an input, so any edit of it counts.",
        "dvc.yaml:40:13 RATE: all of conf/consts.py is an input, so any edit of it counts.",
        "dvc.yaml:42:9 work/clean is taken for a folder: neither dvc.lock nor its name says what it is.",
        "dvc.yaml:47:5 src/fit.py names clean of params.yaml, which its stage does not declare: it is an input too.",
        "dvc.yaml:51:11 work/clean/rows.csv lies in work/clean, and all of that is the input: what else changes in it counts too.",
        "dvc.yaml:63:3 git finds no repository: a step's folder has neither .git nor .dvc.",
        "dvc.yaml:69:9 work/fits is given as the outputs in it (work/fits/ridge.pkl, work/fits/lasso.pkl); other files there are not part of the key.",
        "dvc.yaml:73:9 work/scores.json is kept as a file, and its numbers are not compared: mlpipe's metrics are a JSON object of numbers, whose names it takes from the file where it lies in the project.",
        "dvc.yaml:80:7 live log: the folder and log.json are outputs, the page of html is not.",
        "dvc.yaml:80:7 work/log is taken for a folder: neither dvc.lock nor its name says what it is.",
        "dvc.yaml:80:7 work/log.json is kept as a file, and its numbers are not compared: mlpipe's metrics are a JSON object of numbers, whose names it takes from the file where it lies in the project.",
        "dvc.yaml:83:3 old is frozen, and no step: what it has made is taken as it lies there, as a source.",
        "dvc.yaml:97:5 work/clean/metrics.json is kept as a file, and its numbers are not compared: mlpipe's metrics are a JSON object of numbers, whose names it takes from the file where it lies in the project.",
      ]
    `);
  });

  it("is all told in the module too", () => {
    const text = pipelineOf(constructs, constructsJson);
    for (const { message, at } of [...constructsJson.notCarried, ...constructsJson.carriedOtherwise])
      expect(text).toContain(` * - ${at.file}:${at.line}  ${message}`);
    expect(constructsJson).toMatchObject({
      ready: true,
      stages: 11,
      absent: ["data/old.txt", "data/pictures/first.png"],
    });
  });

  it("becomes modules that type-check", () => {
    const compilerOptions = { module: "nodenext", target: "es2024", strict: true };
    const folder = mkdtempSync(join(tmpdir(), "mlpipe-dvc-types-"));
    try {
      const config = {
        compilerOptions: {
          ...compilerOptions,
          noUncheckedIndexedAccess: true,
          exactOptionalPropertyTypes: true,
          verbatimModuleSyntax: true,
          erasableSyntaxOnly: true,
          allowImportingTsExtensions: true,
          customConditions: ["@mlpipe/source"],
          types: ["node"],
          typeRoots: [join(fruit.root, "node_modules/@types")],
          noEmit: true,
          skipLibCheck: true,
        },
        include: [fruit, constructs].map(({ root }) => join(root, "*.ts")),
      };
      writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
      expect(output(tsc, ["-p", folder, "--pretty", "false"])).toBe("");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("becomes a plan: loops by the keys that DVC gave them", async () => {
    constructs.write({ "data/old.txt": "old\n", "data/pictures/first.png": "" });
    const { exit, stdout, stderr } = await constructs.mlpipe("plan", "--json");
    expect(exit, stderr).toBe(0);
    // The shape of the plan is that of docs/cli.md.
    const { steps } = JSON.parse(stdout) as { steps: { id: string; decision: string }[] };
    expect(steps.map(({ id }) => id)).toEqual([
      "fetch",
      "grid[1-small]",
      "grid[1-kind1]",
      "grid[2-small]",
      "grid[2-kind1]",
      "clean",
      "fit-ridge",
      "fit-lasso",
      "join",
      "report",
      "sub-fit",
    ]);
  });
});

describe("a project that ran by dvc repro", () => {
  it("makes the same as its scripts did, runs nothing twice, and what has an edited param alone", async () => {
    const outside = dvcProject("dvc-fruit");
    try {
      const python = (folder: string, ...args: readonly string[]): string =>
        execFileSync("python3", args, { cwd: join(outside.root, folder), encoding: "utf8" });
      python(".", "src/prepare.py");
      python(".", "src/train.py", "--name", "line", "--degree", "1", "--rate", "0.05");
      python(".", "src/train.py", "--name", "curve", "--degree", "2", "--rate", "0.05");
      python("reports", "../src/compare.py", "../models");

      expect(fruitJson.stages).toBe(4);
      expect(await fruit.statuses()).toEqual({ ran: ["prepare", "train-line", "train-curve", "compare"] });
      const folder = fruitJson.files
        .find((name) => name.endsWith(".pipeline.ts"))
        ?.replace(/\.pipeline\.ts$/, "");
      const made = `artifacts/${folder}`;
      expect(JSON.parse(fruit.read(`${made}/metrics.json`))).toEqual(
        JSON.parse(outside.read("reports/metrics.json")),
      );
      expect(fruit.read(`${made}/errors.csv`)).toBe(outside.read("reports/errors.csv"));
      expect(fruit.read(`${made}/size.txt`)).toBe("21 lines\n");
      // Nothing was written where DVC keeps its outputs.
      expect(JSON.parse(fruit.read("reports/metrics.json"))).toEqual({ line_mae: 1, curve_mae: 1 });
    } finally {
      outside[Symbol.dispose]();
    }
    const cached = ["prepare", "train-line", "train-curve", "compare"];
    expect(await fruit.statuses()).toEqual({ cached });

    fruit.edit("params.yaml", '"rate": 0.05', '"rate": 0.04');
    expect(await fruit.statuses()).toEqual({
      cached: ["prepare"],
      ran: ["train-line", "train-curve", "compare"],
    });
    // A module that the scripts import, though dvc.yaml does not name it.
    fruit.edit("src/rows.py", "def write(", "CHANGED = True\n\n\ndef write(");
    expect((await fruit.statuses())["ran"]).toContain("prepare");
    fruit.edit("src/prepare.py", "import rows", "import rows\nimport missing");
    const failed = await fruit.mlpipe("run");
    expect(failed.exit).toBe(1);
    expect(failed.stderr + failed.stdout).toContain(
      "dvc-stage: in params.yaml the command finds the params that its step is given, and no others",
    );
  });

  it("is not written over", async () => {
    const again = await fruit.mlpipe("init", "--from-dvc");
    expect(again.exit).toBe(2);
    expect(again.stderr).toMatch(
      /^MLP6015 .*has .*\.pipeline\.ts, .*dvc-stage\.mjs, params-file\.ts already\./,
    );
  });
});

describe("a dvc.yaml with a mistake", () => {
  const mistakes = {
    "a variable that nothing has": [
      "vars:\n  - folder: work\nstages:\n  a:\n    cmd: echo ${fodler}\n",
      "MLP6203  ${fodler} names a variable that is not there.",
      "dvc.yaml:5:5",
      "> 5 |     cmd: echo ${fodler}",
      "There are: folder.",
    ],
    "no YAML": ["stages:\n  a: [1, 2\n", "MLP6202", "dvc.yaml:3:1"],
    "a file of vars that is not there": [
      "vars: [more.yaml]\nstages: {}\n",
      "MLP6201  more.yaml, which vars names, is not there.",
      "dvc.yaml:1:8",
    ],
    "a stage without a command": [
      "stages:\n  a:\n    deps: [x]\n",
      "MLP6204  The stage a has no cmd.",
      "dvc.yaml:2:3",
    ],
    "two stages that make one file": [
      "stages:\n  a: {cmd: x, outs: [o]}\n  b: {cmd: x, outs: [o]}\n",
      "MLP6204  The stages a and b both make o.",
      "dvc.yaml:3:22",
    ],
    "stages that wait for each other": [
      "stages:\n  a: {cmd: x, deps: [p], outs: [q]}\n  b: {cmd: x, deps: [q], outs: [p]}\n",
      "MLP6204  The stages a, b wait for each other.",
    ],
  };

  it.each(Object.entries(mistakes))(
    "%s: a coded error with its place",
    async (_, [text = "", ...expected]) => {
      using project = new Project({ "dvc.yaml": text });
      const { exit, stderr } = await project.mlpipe("init", "--from-dvc");
      expect(exit).toBe(2);
      for (const part of expected) expect(stderr).toContain(part);
    },
  );

  it("none at all", async () => {
    using project = new Project({});
    const { exit, stderr } = await project.mlpipe("init", "--from-dvc", "nothing");
    expect([exit, stderr.slice(0, 7)]).toEqual([2, "MLP6201"]);
  });
});

/** What a program printed, whether or not it succeeded. */
function output(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: "utf8" }).trim();
  } catch (error) {
    return error instanceof Error && "stdout" in error ? String(error.stdout) : String(error);
  }
}
