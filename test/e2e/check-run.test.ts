/** `run --check`: hits are proved by running their steps again beside the cache. */
import { describe, expect, it } from "vitest";
import { Project } from "./project.ts";
import { smallPipeline, smallSteps } from "./small-pipeline.ts";

const clocked: Readonly<Record<string, string>> = {
  "steps.ts": `import { data, dir, file } from "mlpipe";
import { z } from "zod";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
export const report = data("report", {
  outputs: { text: file("txt"), pages: dir(), rows: z.int() },
  async run(_inputs, out) {
    await out.text.write("title\\nmade at " + Date.now() + "\\n");
    writeFileSync(join(out.pages.path, "index.html"), "always the same");
    writeFileSync(join(out.pages.path, "about.html"), String(process.hrtime.bigint()));
    return { rows: 3 };
  },
});
export const count = data("count", {
  inputs: { text: file("txt") },
  outputs: { letters: z.int() },
  run: async ({ text }) => ({ letters: (await text.text()).length }),
});
`,
  "report.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { count, report } from "./steps.ts";
export default pipeline("report", z.object({}), () => {
  const { text, pages } = report({});
  return { pages, letters: count({ text }).letters };
});
`,
};

interface Check {
  readonly stepRun: string;
  readonly same: boolean;
  readonly differences: readonly string[];
  readonly error?: { readonly code: string };
}

describe("run --check", () => {
  it("of deterministic steps finds them equal, runs no deploy, and exits with 0", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    project.write({ "deployed/by-hand.txt": "a deploy would be seen here" });
    const run = await project.run("--check");
    expect([run.exit, run.status]).toEqual([0, "succeeded"]);
    const checks = run.steps.map(({ id, status, check }) => [id, status, (check as Check | undefined)?.same]);
    expect(checks).toEqual([
      ["split", "cached", true],
      ["fit", "cached", true],
      ["score", "cached", true],
      ["good-enough", "cached", true],
      // Its target was changed by hand, so it is due: that is no matter of the check.
      ["publish", "ran", undefined],
    ]);
    expect((await project.mlpipe("run", "--check")).stdout).toContain(
      "checked  4 of 4 steps gave the same outputs when run again",
    );
  });

  it("names what differs, records the evidence, keeps the first result and exits with 3", async () => {
    using project = new Project(clocked);
    const first = await project.run();
    const before = project.read("artifacts/report/pages/about.html");
    const run = await project.run("--check");
    expect([run.exit, run.status]).toEqual([3, "rejected"]);
    const [report, count] = run.steps;
    const check = report?.check as Check;
    expect(check).toMatchObject({ same: false, error: { code: "MLP3033" } });
    expect(check.differences).toEqual([
      "pages: about.html differs",
      expect.stringMatching(/^text: line 2: "made at \d+" → "made at \d+"$/),
    ]);
    // The cache keeps one winner: what comes after it does not run.
    expect(report?.outputs).toEqual(first.steps[0]?.outputs);
    expect(count).toMatchObject({ status: "cached", check: { same: true } });
    expect(project.read("artifacts/report/pages/about.html")).toBe(before);
    expect(await project.statuses()).toEqual({ cached: ["report", "count"] });

    const shown = JSON.parse((await project.mlpipe("show", run.run, "--json")).stdout) as {
      run: { steps: { check?: Check }[] };
      stepRuns: { id: string; cache: { decision: string }; determinism: object; outputs: object }[];
    };
    expect(shown.run.steps[0]?.check).toMatchObject({ same: false, stepRun: check.stepRun });
    expect(shown.stepRuns.find(({ id }) => id === check.stepRun)).toMatchObject({
      cache: { decision: "check" },
      determinism: { samples: 2, distinct: 2, evidence: [first.steps[0]?.stepRun, check.stepRun] },
    });
  });

  it("says it to people: the step, what differs, the file and the line", async () => {
    using project = new Project(clocked);
    await project.run();
    const { stdout, exit } = await project.mlpipe("run", "--check", "report");
    expect(exit).toBe(3);
    expect(stdout).toContain("checked  0 of 1 step gave the same outputs when run again");
    expect(stdout).toMatch(
      /MLP3033 {2}"report" made other outputs when it was run again: pages: about\.html differs; text: line 2: .*\./,
    );
    expect(stdout).toContain("steps.ts:5:23");
    expect(stdout).toContain("mlpipe check finds many of them");
  });

  it("takes a sample, or steps by name", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    const sampled = await project.run("--check", "50%");
    expect(sampled.steps.filter(({ check }) => check !== undefined)).toHaveLength(2);
    const named = await project.run("--check", "fit", "score");
    expect(named.steps.filter(({ check }) => check !== undefined).map(({ id }) => id)).toEqual([
      "fit",
      "score",
    ]);
    const unknown = await project.mlpipe("run", "--check", "fitt");
    expect([unknown.exit, unknown.stderr.includes("Did you mean fit?")]).toEqual([2, true]);
  });

  it("of a step that has to run anyway is no check", async () => {
    using project = new Project(smallPipeline);
    const run = await project.run("--check");
    expect(run.steps.map(({ status, check }) => [status, check])).toEqual(
      smallSteps.map(() => ["ran", undefined]),
    );
  });
});
