/** Mistakes that a user makes, and what mlpipe makes of them. */
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Project } from "./project.ts";
import { smallPipeline, smallSteps } from "./small-pipeline.ts";

describe("in a pipeline", () => {
  it("an error that its function throws is the user's, and points at the line", async () => {
    using project = new Project({
      "a.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
export default pipeline("a", z.object({}), () => {
  throw new TypeError("no such thing");
});
`,
    });
    const { exit, stderr } = await project.mlpipe("run");
    expect(exit).toBe(2);
    expect(stderr).toContain('MLP6009  The function of the pipeline "a" threw TypeError: no such thing.');
    expect(stderr).toContain("a.pipeline.ts:4:9");
  });

  it("a misspelt nested param is named, on the command line and in a file", async () => {
    using project = new Project({
      "a.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
export default pipeline("a", z.object({ model: z.object({ rate: z.number().default(1) }).prefault({}) }), () => ({}));
`,
      "params.yaml": "model:\n  rat: 2\n",
    });
    for (const args of [
      ["-s", "model.rat=5"],
      ["--params", "params.yaml"],
    ]) {
      const { exit, stderr } = await project.mlpipe("run", ...args);
      expect(exit).toBe(2);
      expect(stderr).toContain('MLP6006  The pipeline "a" has no param model.rat.');
      expect(stderr).toContain("Did you mean model.rate?");
    }
    expect((await project.mlpipe("run", "-s", "model.rate=5")).exit).toBe(0);
  });

  it("a project of CommonJS modules is told how to become one of ES modules", async () => {
    using project = new Project({ ...smallPipeline, "package.json": '{"name":"old","type":"commonjs"}' });
    const { exit, stderr } = await project.mlpipe("run");
    expect(exit).toBe(2);
    expect(stderr).toContain("npm pkg set type=module");
  });

  it("a package.json without a type works, and Node's warning about it is not shown", async () => {
    using project = new Project({ ...smallPipeline, "package.json": '{"name":"typeless"}' });
    const { exit, stderr } = await project.mlpipe("run");
    expect(exit).toBe(0);
    expect(stderr).not.toContain("MODULE_TYPELESS");
    expect((await project.mlpipe("logs", "last")).stderr).not.toContain("MODULE_TYPELESS");
  });
});

describe("on the command line", () => {
  it("--only with --force forces what is selected alone", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    expect(await project.statuses("--only", "fit", "--force")).toEqual({
      skipped: smallSteps.filter((id) => id !== "fit"),
      ran: ["fit"],
    });
  });

  it("--dry-run shows what is selected alone", async () => {
    using project = new Project(smallPipeline);
    const { stdout } = await project.mlpipe("run", "--dry-run", "--from", "score", "--json");
    const { steps } = JSON.parse(stdout) as { steps: { id: string }[] };
    expect(steps.map(({ id }) => id)).toEqual(["score", "good-enough", "publish"]);
  });

  it("init in a project that exists says what is missing, and changes nothing of it", async () => {
    using project = new Project({ "package.json": '{"name":"mine","type":"commonjs"}' });
    const { exit, stdout } = await project.mlpipe("init");
    expect(exit).toBe(0);
    expect(stdout).toContain("Next:  npm pkg set type=module && npx mlpipe run");
    expect(project.read("package.json")).toBe('{"name":"mine","type":"commonjs"}');
  });
});

describe("around it", () => {
  it("a project that cannot be written to can be looked at", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    chmodSync(join(project.root, ".mlpipe"), 0o555);
    const { exit, stdout } = await project.mlpipe("plan");
    chmodSync(join(project.root, ".mlpipe"), 0o755);
    expect(exit).toBe(0);
    expect(stdout).toContain("5 cached");
  });

  it("a file where the artifacts would go: the run is kept, and the error says so", async () => {
    using project = new Project({ ...smallPipeline, artifacts: "a file" });
    const { exit, stderr } = await project.mlpipe("run");
    expect(exit).toBe(4);
    expect(stderr).toContain("MLP3035  What the pipeline returns could not be copied");
    expect(readFileSync(join(project.root, "artifacts"), "utf8")).toBe("a file");
    expect((await project.mlpipe("runs")).stdout).toContain("succeeded");
  });

  it("a run that did not succeed leaves the artifacts of the last one together", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    const before = project.read("artifacts/line/metrics.json");
    expect((await project.run("-s", "shrink=0.9", "-s", "limit=0.1")).exit).toBe(3);
    expect(project.read("artifacts/line/metrics.json")).toBe(before);
    const { stdout } = await project.mlpipe("get", "score.metrics", "-o", "-");
    expect((JSON.parse(stdout) as { mae: number }).mae).toBeGreaterThan(0.5);
  });

  it("an argument that is too long for the system is said", async () => {
    using project = new Project({
      "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
export const long = data("long", { inputs: { text: z.string() }, outputs: { out: file("txt") }, command: (i, o) => cmd\`cp \${i.text} \${o.out}\` });
`,
      "a.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { long } from "./steps.ts";
export default pipeline("a", z.object({}), () => long({ text: "x".repeat(200_000) }));
`,
    });
    const run = await project.run();
    expect(run.exit).toBe(1);
    expect(run.steps[0]?.error).toMatchObject({ code: "MLP3002" });
  });

  it("a process that left its step's group is ended with the step", async () => {
    using project = new Project({
      "steps.ts": `import { data } from "mlpipe";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
export const start = data("start", {
  outputs: { n: z.int() },
  async run() {
    const child = spawn("sleep", ["600"], { detached: true, stdio: "ignore" });
    child.unref();
    writeFileSync("child.pid", String(child.pid));
    await pause(400);
    return { n: 1 };
  },
});
`,
      "a.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { start } from "./steps.ts";
export default pipeline("a", z.object({}), () => start({}));
`,
    });
    expect(await project.statuses()).toEqual({ ran: ["start"] });
    const pid = project.read("child.pid");
    const gone =
      !existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
    expect(gone).toBe(true);
  });
});
