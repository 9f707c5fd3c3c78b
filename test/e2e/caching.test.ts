/** The main promise, through the real command line: what must run runs, and nothing else. */
import { readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Project } from "./project.ts";
import { smallPipeline, smallSteps } from "./small-pipeline.ts";

let project: Project;
beforeEach(async () => {
  project = new Project(smallPipeline);
  expect(await project.statuses()).toEqual({ ran: smallSteps });
});
afterEach(() => {
  project[Symbol.dispose]();
});

describe("after a first run", () => {
  it("a second runs nothing and exits with 0", async () => {
    const { exit, status, steps } = await project.run();
    expect({ exit, status }).toEqual({ exit: 0, status: "succeeded" });
    expect(steps.map((step) => step.status)).toEqual(smallSteps.map(() => "cached"));
  });

  it("plan gives a reason for every step", async () => {
    const { exit, stdout } = await project.mlpipe("plan", "--json");
    expect(exit).toBe(0);
    const plan = JSON.parse(stdout) as {
      steps: { id: string; decision: string; reasons: { part: string }[] }[];
    };
    expect(
      plan.steps.map(({ id, decision, reasons }) => [id, decision, reasons.map(({ part }) => part)]),
    ).toEqual(smallSteps.map((id) => [id, "cached", ["unchanged"]]));
  });

  it("one hyperparameter changed: the training and what depends on it", async () => {
    const run = await project.run("-s", "shrink=0.99");
    expect(run.steps.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "split cached",
      "fit ran",
      "score ran",
      "good-enough ran",
      "publish ran",
    ]);
    expect(run.steps[1]?.reasons.map(({ message }) => message)).toEqual([
      "input shrink 1 → 0.99 (params.shrink)",
    ]);
  });

  it("the split's helper changed in effect: what its changed outputs reach, and no further", async () => {
    project.edit("late.ts", "x >= from", "x > from");
    const run = await project.run();
    // All points lie on one line, so the model of more of them is the same.
    expect(run.steps.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "split ran",
      "fit ran",
      "score ran",
      "good-enough cached",
      "publish cached",
    ]);
    expect(run.steps[0]?.reasons.map(({ part, name }) => `${part} ${name}`)).toEqual(["code late.ts#isLate"]);
  });

  it("the split's helper changed without effect: the wave stops at its outputs", async () => {
    project.edit("late.ts", "return x >= from", "const late = x >= from;\n  return late");
    expect(await project.statuses()).toEqual({ ran: ["split"], cached: smallSteps.slice(1) });
  });

  it("a comment changed: nothing", async () => {
    project.edit("late.ts", "return x", "// from the first late point on\n  return x");
    project.edit("fit.py", "slope = ", "# least squares through the origin\nslope = ");
    expect(await project.statuses()).toEqual({ cached: smallSteps });
  });

  it("every file touched: nothing", async () => {
    const later = new Date(Date.now() + 10_000);
    for (const path of readdirSync(project.root, { recursive: true, encoding: "utf8" })) {
      if (!/^(?:node_modules|\.mlpipe|deployed|artifacts)(?:\/|$)/.test(path))
        utimesSync(join(project.root, path), later, later);
    }
    expect(await project.statuses()).toEqual({ cached: smallSteps });
  });

  it("the Python script changed: the training, and nothing after an equal model", async () => {
    project.edit("fit.py", 'print("slope", slope)', 'print("the slope is", slope)');
    expect(await project.statuses()).toEqual({
      ran: ["fit"],
      cached: smallSteps.filter((id) => id !== "fit"),
    });
  });

  it("the port's schema changed: the steps that have it", async () => {
    project.edit("rows.ts", "y: z.number()", "y: z.number().max(1000)");
    expect(await project.statuses()).toEqual({
      ran: ["split", "fit", "score"],
      cached: ["good-enough", "publish"],
    });
  });

  it("a row of the data changed: everything it reaches, and it says so", async () => {
    project.edit("data/points.csv", "6,12", "6,13");
    const run = await project.run();
    expect(run.steps.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "split ran",
      "fit cached",
      "score ran",
      "good-enough ran",
      "publish cached",
    ]);
    expect(run.steps[0]?.reasons[0]?.message).toContain("input points");
  });

  it("a stricter gate: it rejects, the deploy is blocked, exit 3, and what was deployed stays", async () => {
    const before = readFileSync(join(project.root, "deployed/model.json"), "utf8");
    const run = await project.run("-s", "shrink=0.9", "-s", "limit=0.1");
    expect(run.exit).toBe(3);
    expect(run.status).toBe("rejected");
    expect(run.steps.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "split cached",
      "fit ran",
      "score ran",
      "good-enough rejected",
      "publish blocked",
    ]);
    expect(run.steps[3]?.error?.message).toContain("is above 0.1");
    expect(project.read("deployed/model.json")).toBe(before);
  });

  it("a deploy of A, then B, then A again ends at A", async () => {
    const a = project.read("deployed/model.json");
    await project.run("-s", "shrink=0.99");
    expect(project.read("deployed/model.json")).not.toBe(a);
    const run = await project.run();
    expect(run.steps.map(({ id, status }) => `${id} ${status}`)).toEqual([
      "split cached",
      "fit cached",
      "score cached",
      "good-enough cached",
      "publish ran",
    ]);
    expect(project.read("deployed/model.json")).toBe(a);
  });

  it("a target changed by hand is deployed again", async () => {
    project.write({ "deployed/model.json": "{}" });
    const run = await project.run();
    expect(
      run.steps.filter(({ status }) => status === "ran").map(({ id, reasons }) => [id, reasons[0]?.message]),
    ).toEqual([["publish", "deployed was changed since the last deploy"]]);
  });

  it("--force runs everything, --force fit the training alone, --only and --from a part", async () => {
    expect(await project.statuses("--force", "fit")).toEqual({
      ran: ["fit"],
      cached: smallSteps.filter((id) => id !== "fit"),
    });
    expect(await project.statuses("--force")).toEqual({ ran: smallSteps });
    expect(await project.statuses("--only", "fit", "-s", "shrink=0.5")).toEqual({
      ran: ["fit"],
      skipped: smallSteps.filter((id) => id !== "fit"),
    });
    expect(await project.statuses("--from", "score", "-s", "shrink=0.5", "-s", "limit=100")).toEqual({
      skipped: ["split", "fit"],
      ran: ["score", "good-enough", "publish"],
    });
  });

  it("what the pipeline returns lies under artifacts/", () => {
    expect(JSON.parse(project.read("artifacts/line/model.json"))).toEqual({ slope: 2 });
    expect(JSON.parse(project.read("artifacts/line/metrics.json"))).toEqual({ mae: 0 });
    expect(project.read("artifacts/line/rows.json").trim()).toBe("6");
  });

  it("a lost database never lies: everything runs again, with equal results", async () => {
    for (const file of readdirSync(join(project.root, ".mlpipe"))) {
      if (file.startsWith("state.db")) project.write({ [`.mlpipe/${file}`]: "" });
    }
    const run = await project.run();
    expect(run.status).toBe("succeeded");
    expect(await project.statuses()).toEqual({ cached: smallSteps });
  });
});
