/** Where something comes from, and what it reached. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

interface TraceJson {
  readonly subject: { readonly digest: string };
  readonly madeBy: readonly string[];
  readonly stepRuns: readonly {
    readonly stepRun: string;
    readonly step: string;
    readonly params: Record<string, unknown>;
    readonly seeds: Record<string, number>;
    readonly environment: { readonly python?: { readonly version: string } };
    readonly inputs: readonly {
      readonly port: string;
      readonly madeBy: string | null;
      readonly name: string;
    }[];
  }[];
  readonly others: readonly { readonly step: string }[];
  readonly sources: readonly { readonly name: string; readonly digest: string }[];
}

interface ImpactJson {
  readonly stepRuns: readonly { readonly step: string; readonly status: string }[];
  readonly models: readonly { readonly name: string; readonly digest: string }[];
  readonly deployments: readonly {
    readonly target: string;
    readonly current: boolean;
    readonly run: string;
  }[];
}

describe("lineage", () => {
  let project: Project;
  let first = "";
  const elsewhere = mkdtempSync(join(tmpdir(), "mlpipe-elsewhere-"));

  beforeAll(async () => {
    project = new Project(smallPipeline);
    first = await run();
    copyFileSync(join(project.root, "deployed/model.json"), join(elsewhere, "a name of its own"));
  });
  afterAll(() => {
    project[Symbol.dispose]();
    rmSync(elsewhere, { recursive: true, force: true });
  });

  async function run(...args: readonly string[]): Promise<string> {
    const done = await finished(project.start(["run", "--json", ...args]));
    expect(done.stderr).not.toContain("MLP");
    return (JSON.parse(done.stdout) as { readonly run: string }).run;
  }

  async function asked<Answer>(...args: readonly string[]): Promise<Answer> {
    const done = await finished(project.start([...args, "--json"]));
    expect(done).toMatchObject({ exit: 0 });
    return JSON.parse(done.stdout) as Answer;
  }

  it("tells of a model that was copied out of the project which data, params and versions it is made of", async () => {
    const trace = await asked<TraceJson>("trace", join(elsewhere, "a name of its own"));
    const fit = trace.stepRuns.find(({ step }) => step === "fit");
    expect(fit).toMatchObject({ params: { shrink: 1, seed: 1 }, seeds: { seed: 1 } });
    expect(fit?.environment.python?.version).toMatch(/^3\./);
    const split = trace.stepRuns.find(({ stepRun }) => stepRun === fit?.inputs[0]?.madeBy);
    expect(split).toMatchObject({ step: "split", params: { from: 5 } });
    expect(trace.sources.map(({ name }) => name)).toEqual(["data/points.csv"]);
    const said = await finished(project.start(["trace", join(elsewhere, "a name of its own")]));
    expect(said.stdout).toMatch(/fit {2}train .* seed=1 {2}shrink=1 .*python 3/);
    expect(said.stdout).toMatch(/points [0-9a-f]{12} ← split {2}data/);
    expect(said.stdout).toMatch(/points [0-9a-f]{12} ← data\/points.csv/);
  });

  it("tells of data which models and deployments it reached, also through a result that was taken from the cache", async () => {
    const impact = await asked<ImpactJson>("impact", "data/points.csv");
    expect(impact.models).toHaveLength(1);
    expect(impact.deployments).toEqual([
      expect.objectContaining({ target: "deployed", current: true, run: first }),
    ]);
    // Another file that gives the same training data: the model is not trained again, and is made of it all the same.
    project.write({ "data/points.csv": `${smallPipeline["data/points.csv"] ?? ""}7,14\n` });
    await run();
    const later = await asked<ImpactJson>("impact", "data/points.csv");
    expect(later.models.map(({ name, digest }) => [name, digest])).toEqual(
      impact.models.map(({ name, digest }) => [name, digest]),
    );
    expect(later.stepRuns.map(({ step }) => step)).toContain("fit");
    expect(later.models).toEqual([expect.objectContaining({ earlier: true })]);
  });

  it("says the same of a digest, of a path and of an output of a run", async () => {
    const byOutput = await asked<TraceJson>("trace", `${first}/fit.model`);
    const byPath = await asked<TraceJson>("trace", "artifacts/line/model.json");
    const byDigest = await asked<TraceJson>("trace", byPath.subject.digest.slice(0, 10));
    expect(byDigest.stepRuns).toEqual(byPath.stepRuns);
    expect(byOutput.subject.digest).toBe(byPath.subject.digest);
    expect(byPath.stepRuns).toEqual(expect.arrayContaining([...byOutput.stepRuns]));
    // Metrics were indented when they were copied out.
    const metrics = await asked<TraceJson>("trace", "artifacts/line/metrics.json");
    expect(metrics.stepRuns.map(({ step }) => step)).toContain("score");
  });

  it("says so when nothing is known of the bytes, and executes nothing of the project", async () => {
    writeFileSync(join(elsewhere, "edited"), "not a model");
    const done = await finished(project.start(["trace", join(elsewhere, "edited")]));
    expect(done).toMatchObject({ exit: 2, stdout: "" });
    expect(done.stderr).toContain("MLP5003");
    project.write({ "mlpipe.config.ts": "throw new Error('executed');\n" });
    expect(await finished(project.start(["impact", "data/points.csv"]))).toMatchObject({ exit: 0 });
    expect(await finished(project.start(["trace", "data/points.csv"]))).toMatchObject({ exit: 0 });
  });
});
