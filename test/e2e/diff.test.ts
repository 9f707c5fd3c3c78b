/** What differs between two runs. */
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

interface DiffJson {
  readonly params: readonly unknown[];
  readonly steps: readonly unknown[];
  readonly code: readonly { readonly name: string }[];
  readonly packages: readonly unknown[];
  readonly environment: readonly unknown[];
  readonly sources: readonly { readonly name: string; readonly change: string | null }[];
  readonly outputs: readonly { readonly name: string; readonly change: string | null }[];
  readonly metrics: readonly { readonly name: string; readonly verdict: string }[];
  readonly texts: readonly {
    readonly file: string;
    readonly diff: string | null;
    readonly missing?: string;
  }[];
}

describe("diff", () => {
  let project: Project;
  const ids: string[] = [];

  async function run(...args: readonly string[]): Promise<void> {
    const done = await finished(project.start(["run", "--json", ...args]));
    ids.push((JSON.parse(done.stdout) as { readonly run: string }).run);
  }

  async function diff(a: number, b: number): Promise<DiffJson> {
    const done = await finished(project.start(["diff", ids[a] ?? "", ids[b] ?? "", "--json"]));
    expect(done).toMatchObject({ exit: 0, stderr: "" });
    return JSON.parse(done.stdout) as DiffJson;
  }

  function git(...args: readonly string[]): void {
    execFileSync("git", ["-c", "user.name=Ana", "-c", "user.email=ana@example.org", ...args], {
      cwd: project.root,
    });
  }

  beforeAll(async () => {
    project = new Project({ ...smallPipeline, ".gitignore": "node_modules\n.mlpipe\nartifacts\ndeployed\n" });
    git("init", "--quiet");
    git("add", "--all");
    git("commit", "--quiet", "--message", "first");
    await run();
    // Not committed: the changes are of the record.
    project.edit("late.ts", "x >= from", "x + 0 >= from");
    await run("-s", "shrink=0.5");
    project.edit("late.ts", "x + 0 >= from", "x - 0 >= from");
    project.write({ "data/points.csv": `${smallPipeline["data/points.csv"] ?? ""}7,15\n8,16\n` });
    await run();
    await run();
  }, 120_000);
  afterAll(() => {
    project[Symbol.dispose]();
  });

  it("tells params, code with its text, what became of steps, and whether metrics are better or worse", async () => {
    const found = await diff(0, 1);
    expect(found.params).toEqual([{ name: "shrink", before: 1, after: 0.5 }]);
    expect(found.steps).toEqual([
      { name: "good-enough", before: "done", after: "rejected" },
      { name: "publish", before: "done", after: "blocked" },
    ]);
    expect(found.code.map(({ name }) => name)).toEqual(["late.ts#isLate"]);
    expect(found.texts).toMatchObject([{ file: "late.ts" }]);
    expect(found.texts[0]?.diff).toContain("-  return x >= from;\n+  return x + 0 >= from;");
    expect(found.metrics).toMatchObject([
      { name: "score.mae", before: 0, direction: "min", verdict: "worse" },
    ]);
    expect([found.packages, found.environment, found.sources]).toEqual([[], [], []]);
    expect((await diff(1, 0)).metrics).toMatchObject([{ verdict: "better" }]);
  });

  it("tells data by its rows, of two states that were never committed", async () => {
    const found = await diff(1, 2);
    expect(found.sources).toMatchObject([{ name: "data/points.csv", change: "2 rows added" }]);
    expect(found.outputs.find(({ name }) => name === "split.test")?.change).toBe("2 rows added");
    expect(found.texts[0]?.diff).toContain("-  return x + 0 >= from;\n+  return x - 0 >= from;");
    const said = await finished(project.start(["diff", ids[1] ?? "", ids[2] ?? ""]));
    expect(said.stdout).toMatch(/shrink +0\.5 → 1/);
    expect(said.stdout).toMatch(/score\.mae .* better +lower is better/);
    expect(said.stdout).toMatch(/data\/points\.csv .* 2 rows added/);
  });

  it("finds no difference in a run that took everything from the cache", async () => {
    const said = await finished(project.start(["diff", ids[2] ?? "", ids[3] ?? ""]));
    expect(said.stdout).toContain("Nothing that was recorded differs.");
  });

  it("says why a text cannot be shown", async () => {
    git("checkout", "--quiet", "--orphan", "other");
    git("commit", "--quiet", "--message", "another history");
    git("branch", "--quiet", "-D", ...branches());
    git("reflog", "expire", "--expire=now", "--all");
    git("gc", "--quiet", "--prune=now");
    const found = await diff(0, 1);
    expect(found.code.map(({ name }) => name)).toEqual(["late.ts#isLate"]);
    expect(found.texts).toMatchObject([{ file: "late.ts", diff: null }]);
    expect(found.texts[0]?.missing).toContain("not in the repository");
  });

  function branches(): readonly string[] {
    const names = execFileSync("git", ["branch", "--format=%(refname:short)"], {
      cwd: project.root,
      encoding: "utf8",
    });
    return names.split("\n").filter((name) => name !== "" && name !== "other");
  }
});
