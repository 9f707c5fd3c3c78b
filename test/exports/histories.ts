/** Runs of all sorts, made through the real command line, to be exported. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, realpathSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Project, type RunJson } from "../e2e/project.ts";
import { smallPipeline } from "../e2e/small-pipeline.ts";

/** A run to be exported. */
export interface History {
  readonly project: Project;
  readonly run: RunJson;
  /** A model of it; nothing if none was made. */
  readonly model?: string;
}

const git = (cwd: string, ...args: readonly string[]): void => {
  execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], { cwd });
};

const ignored = ".gitignore";

/** The example, with a model that is deployed. */
export async function weather(): Promise<History> {
  const example = join(import.meta.dirname, "../../examples/weather");
  const project = new Project({});
  cpSync(example, project.root, {
    recursive: true,
    filter: (path) => !/\/(?:node_modules|\.mlpipe|artifacts|deployed)$/.test(path),
  });
  for (const name of ["vega-datasets", "ml-random-forest"]) {
    symlinkSync(realpathSync(join(example, "node_modules", name)), join(project.root, "node_modules", name));
  }
  return { project, run: await project.run("-s", "trees=5"), model: "fit.model" };
}

/** The small pipeline, in a repository with a remote, deployed; with a change that is not committed. */
export async function deployed(): Promise<History> {
  const project = new Project({
    ...smallPipeline,
    [ignored]: "node_modules\n.mlpipe\nartifacts\ndeployed\n",
  });
  git(project.root, "init", "-q", "-b", "main");
  git(project.root, "remote", "add", "origin", "git@example.org:acme/line.git");
  git(project.root, "add", ".");
  git(project.root, "commit", "-q", "-m", "first");
  project.edit("late.ts", "return x >= from", "return from <= x");
  return { project, run: await project.run("-s", "limit=9"), model: "fit.model" };
}

/** A run of which most is taken from an earlier one. */
export async function reused({ project }: History): Promise<History> {
  return { project, run: await project.run("-s", "limit=8"), model: "fit.model" };
}

/** A run whose training fails. */
export async function failed(): Promise<History> {
  const project = new Project(smallPipeline);
  project.write({ "fit.py": 'raise SystemExit("no convergence | in <b>sight</b>")\n' });
  return { project, run: await project.run() };
}

/** A run that was killed while it trained. */
export async function crashed(): Promise<History> {
  const project = new Project(smallPipeline);
  project.write({ "fit.py": "import time\ntime.sleep(60)\n" });
  const child = project.start(["run", "--ndjson"]);
  let said = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (said += text));
  const isTraining = (): boolean => /"type":"step-started","step":"fit"/.test(said);
  while (!isTraining() && child.exitCode === null) await pause(20);
  child.kill("SIGKILL");
  await once(child, "close");
  const { stdout } = await project.mlpipe("show", "last", "--json");
  // `show` prints a run with its steps.
  const { run } = JSON.parse(stdout) as { run: { id: string; status: string } };
  return { project, run: { schemaVersion: 1, run: run.id, status: run.status, steps: [] } };
}

/** A run whose gate says no. */
export async function rejected(): Promise<History> {
  const project = new Project(smallPipeline);
  return { project, run: await project.run("-s", "shrink=0.5", "-s", "limit=0.1"), model: "fit.model" };
}

/** A sweep: several trainings, of which the best is chosen; with a folder as an input and one as an output. */
export async function sweep(): Promise<History> {
  const project = new Project({
    ...smallPipeline,
    "data/more/a b.csv": "x,y\n1,2\n",
    "data/more/deep/ü.csv": "x,y\n2,4\n",
    "steps/choose.ts": `import { data, dir, many, model } from "mlpipe";
import { mkdir, writeFile } from "node:fs/promises";
export const choose = data("choose", {
  inputs: { models: many(model("json")), more: dir() },
  outputs: { best: model("json"), all: dir() },
  async run({ models }, out) {
    let count = 0;
    await mkdir(out.all.path + "/inside", { recursive: true });
    for (const [key, each] of models) {
      await writeFile(\`\${out.all.path}/inside/\${key}.json\`, await each.text());
      if (count++ === 0) await writeFile(out.best.path, (await each.text()) + "\\n");
    }
  },
});
`,
    "line.pipeline.ts": `import { csv, dir, each, pipeline, source } from "mlpipe";
import { z } from "zod";
import { Point } from "./rows.ts";
import { choose } from "./steps/choose.ts";
import { fit } from "./steps/fit.ts";
export default pipeline("line", z.object({ seed: z.int().default(1) }), (p) => {
  const points = source("data/points.csv", csv(Point));
  const models = each([1, 0.9, 1e-7], (shrink) => \`shrink=\${shrink}\`, (shrink) =>
    fit({ points, shrink, seed: p.seed }).model);
  return choose({ models, more: source("data/more", dir(), { keep: "copy" }) });
});
`,
  });
  return { project, run: await project.run(), model: "fit[shrink=0.9].model" };
}
