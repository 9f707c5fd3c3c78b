/** The example as its README tells it, on the real data, through the real command line. */
import { execFileSync } from "node:child_process";
import {
  cpSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  utimesSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Project } from "../e2e/project.ts";

const example = join(import.meta.dirname, "../../examples/weather");
let project: Project;
beforeAll(() => {
  project = new Project({});
  cpSync(example, project.root, {
    recursive: true,
    filter: (path) => !/\/(?:node_modules|\.mlpipe|artifacts|deployed)$/.test(path),
  });
  for (const name of ["vega-datasets", "ml-random-forest"]) {
    symlinkSync(realpathSync(join(example, "node_modules", name)), join(project.root, "node_modules", name));
  }
});
afterAll(() => {
  project[Symbol.dispose]();
});

const all = ["features", "split", "fit", "score", "baseline", "beats-baseline", "publish"];
const deployed = (): string => readlinkSync(join(project.root, "deployed/current"));

// The stories follow each other, as they do for a reader.
it("runs, and beats the naive forecast on a year it has not seen", async () => {
  const run = await project.run();
  expect(run.steps.map(({ id, status }) => `${id} ${status}`)).toEqual(all.map((id) => `${id} ran`));
  const [model, naive] = ["score", "baseline"].map((id) => run.steps.find((step) => step.id === id)?.metrics);
  expect(model?.["auc"]).toBeGreaterThan((naive?.["auc"] ?? 1) + 0.03);
  expect(model?.["brier"]).toBeLessThan(naive?.["brier"] ?? 0);
  // The README shows these figures.
  const readme = readFileSync(join(example, "README.md"), "utf8");
  for (const value of [model?.["accuracy"], model?.["auc"], model?.["brier"], naive?.["auc"]]) {
    expect(readme).toContain(value?.toFixed(3));
  }
});

it("runs nothing the second time, and plan says why", async () => {
  const run = await project.run();
  expect([run.exit, run.status]).toEqual([0, "succeeded"]);
  expect(run.steps.map(({ status }) => status)).toEqual(all.map(() => "cached"));
  const { stdout } = await project.mlpipe("plan");
  for (const id of all)
    expect(stdout).toMatch(new RegExp(`${id} +cached +(?:nothing changed since|deployed is as deployed)`));
});

it("with another hyperparameter runs the training and what depends on it; back again only the deployment", async () => {
  const first = deployed();
  expect(await project.statuses("-s", "trees=10")).toEqual({
    ran: ["fit", "score", "beats-baseline", "publish"],
    cached: ["features", "split", "baseline"],
  });
  expect(deployed()).not.toBe(first);
  expect(await project.statuses()).toEqual({
    ran: ["publish"],
    cached: all.filter((id) => id !== "publish"),
  });
  expect(deployed()).toBe(first);
});

it("touched, runs nothing", async () => {
  const later = new Date(Date.now() + 5_000);
  for (const path of readdirSync(project.root, { recursive: true, encoding: "utf8" })) {
    if (path.endsWith(".ts")) utimesSync(join(project.root, path), later, later);
  }
  expect(await project.statuses()).toEqual({ cached: all });
});

it("with a higher bar deploys nothing, exits with 3, and what was deployed stays", async () => {
  const before = deployed();
  const run = await project.run("-s", "margin=0.2");
  expect([run.exit, run.status]).toEqual([3, "rejected"]);
  expect(run.steps.map(({ id, status }) => `${id} ${status}`).slice(-2)).toEqual([
    "beats-baseline rejected",
    "publish blocked",
  ]);
  expect(run.steps.at(-2)?.error?.message).toMatch(/AUC 0\.769 is 0\.078 above .* and the margin is 0\.2/);
  expect(deployed()).toBe(before);
});

it("with another split runs its dependants whose inputs changed, and why names the helper", async () => {
  project.edit("split-by-date.ts", "date < testFrom", 'date < "2014-12-25"');
  const why = await project.mlpipe("why", "split");
  expect(why.stdout).toMatch(/split would run\n {2}code: .*split-by-date\.ts changed\n/);
  expect(await project.statuses()).toEqual({
    ran: ["split", "fit", "score", "beats-baseline", "publish"],
    cached: ["features", "baseline"],
  });
});

it("is made again, byte for byte, and the deployment is left alone", async () => {
  const before = deployed();
  const { exit, stdout } = await project.mlpipe("reproduce", "last");
  expect(exit, stdout).toBe(0);
  for (const id of all.slice(0, -1)) expect(stdout).toMatch(new RegExp(`^${id} +IDENTICAL$`, "m"));
  expect(stdout).toContain("publish         NOT_RERUN  a deploy is never executed again");
  expect(deployed()).toBe(before);
}, 120_000);

it("is put to use", () => {
  const said = execFileSync(process.execPath, ["predict.ts", "days.json"], {
    cwd: project.root,
    encoding: "utf8",
  });
  expect(said).toMatch(/^2016-01-01: \d+ % chance of rain$/m);
});
