/** Finding runs among many, and saying something of them. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

interface RunsJson {
  readonly runs: readonly {
    readonly run: string;
    readonly status: string;
    readonly metrics: Record<string, number>;
    readonly tags: readonly string[];
    readonly notes: readonly { readonly text: string }[];
  }[];
}

describe("runs", () => {
  let project: Project;
  /** By the param that tells them apart: the first is best. */
  const ids: Record<string, string> = {};

  beforeAll(async () => {
    project = new Project(smallPipeline);
    for (const shrink of ["1", "0.5", "0.95"]) {
      const done = await finished(project.start(["run", "--json", "-s", `shrink=${shrink}`]));
      ids[shrink] = (JSON.parse(done.stdout) as { readonly run: string }).run;
    }
  });
  afterAll(() => {
    project[Symbol.dispose]();
  });

  async function shrinks(...args: readonly string[]): Promise<readonly string[]> {
    const done = await finished(project.start(["runs", "--json", ...args]));
    expect(done).toMatchObject({ exit: 0, stderr: "" });
    const { runs } = JSON.parse(done.stdout) as RunsJson;
    return runs.map(({ run }) => Object.keys(ids).find((shrink) => ids[shrink] === run) ?? run);
  }

  it("are chosen by metrics, params, status, step and time", async () => {
    expect(await shrinks()).toEqual(["0.95", "0.5", "1"]);
    expect(await shrinks("--where", "metrics.mae<1")).toEqual(["0.95", "1"]);
    expect(await shrinks("--where", "metrics.score.mae<1", "--where", "params.shrink!=1")).toEqual(["0.95"]);
    expect(await shrinks("--status", "rejected")).toEqual(["0.5"]);
    // The data was split once, and taken from the cache since.
    expect(await shrinks("--step", "split")).toEqual(["1"]);
    expect(await shrinks("--since", "1h", "--limit", "2")).toEqual(["0.95", "0.5"]);
    expect(await shrinks("--since", "2999-01-01")).toEqual([]);
  });

  it("are sorted by a metric, the best first", async () => {
    expect(await shrinks("--sort", "metrics.mae")).toEqual(["1", "0.95", "0.5"]);
    expect(await shrinks("--sort", "metrics.mae", "--reverse", "-n", "1")).toEqual(["0.5"]);
    expect(await shrinks("--sort", "params.shrink")).toEqual(["0.5", "0.95", "1"]);
  });

  it("are given as a table of chosen columns, and as CSV with full numbers", async () => {
    const table = await finished(
      project.start(["runs", "--sort", "metrics.mae", "--columns", "params.shrink,status"]),
    );
    expect(
      table.stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/ {2,}/).slice(-2)),
    ).toEqual([
      ["params.shrink", "status"],
      ["1", "succeeded"],
      ["0.95", "succeeded"],
      ["0.5", "rejected"],
    ]);
    const csv = await finished(project.start(["runs", "--csv", "--columns", "params.shrink,metrics.mae"]));
    const [head, ...lines] = csv.stdout.trimEnd().split("\n");
    expect(head).toBe("run,params.shrink,metrics.mae");
    expect(lines.at(-1)).toBe(`${ids["1"]},1,0`);
    expect(lines[0]).toMatch(/,0\.95,0\.5[0-9]*$/);
  });

  it("say what is wrong with a question", async () => {
    for (const args of [
      ["--where", "metrics.mae"],
      ["--where", "speed<3"],
      ["--since", "yesterday"],
      ["--limit", "0"],
    ]) {
      const done = await finished(project.start(["runs", ...args]));
      expect(done).toMatchObject({ exit: 2, stdout: "" });
      expect(done.stderr).toContain("MLP6010");
    }
  });

  it("tell of a metric or param that none of them has", async () => {
    for (const args of [
      ["--where", "metrics.nope<1"],
      ["--sort", "metrics.nope"],
    ]) {
      expect(await finished(project.start(["runs", ...args]))).toMatchObject({
        exit: 0,
        stderr: "No run has metrics.nope.\n",
      });
    }
  });

  it("carry tags and notes, which leave their records as they were", async () => {
    const records = join(project.root, ".mlpipe/runs", ids["1"] ?? "", "records.jsonl");
    const before = readFileSync(records, "utf8");
    await finished(project.start(["tag", ids["1"] ?? "", "production", "q3"]));
    await finished(project.start(["tag", ids["0.95"] ?? "", "q3"]));
    await finished(project.start(["tag", ids["0.95"] ?? "", "q3", "--remove"]));
    const noted = await finished(project.start(["note", ids["1"] ?? "", 'seen by "legal", fine', "--json"]));
    expect(JSON.parse(noted.stdout)).toMatchObject({
      tags: ["production", "q3"],
      notes: [{ text: 'seen by "legal", fine' }],
    });
    expect(await shrinks("--tag", "q3")).toEqual(["1"]);
    const csv = await finished(
      project.start(["runs", "--csv", "--tag", "production", "--columns", "tags,note"]),
    );
    expect(csv.stdout).toContain(',production q3,"seen by ""legal"", fine"');
    const shown = await finished(project.start(["show", ids["1"] ?? ""]));
    expect(shown.stdout).toMatch(/tags +production q3\nnote +seen by/);
    expect(readFileSync(records, "utf8")).toBe(before);
    expect(await finished(project.start(["verify"]))).toMatchObject({ exit: 0 });
    // And what was said cannot be unsaid without a trace.
    const said = join(project.root, ".mlpipe/runs/annotations.jsonl");
    const all = readFileSync(said, "utf8");
    writeFileSync(said, all.replace("production", "reductions"));
    expect(await finished(project.start(["verify"]))).toMatchObject({ exit: 4 });
    writeFileSync(said, all.slice(0, all.trimEnd().lastIndexOf("\n") + 1));
    expect(await finished(project.start(["verify"]))).toMatchObject({
      exit: 4,
      stdout: expect.stringContaining("the last line that the database knows of is missing") as string,
    });
    writeFileSync(said, all);
  });

  it("have logs that are compared with their records", async () => {
    const logs = join(project.root, ".mlpipe/runs", ids["1"] ?? "");
    const log = readdirSync(logs, { recursive: true, encoding: "utf8" }).find((name) =>
      name.endsWith(".log"),
    );
    const path = join(logs, log ?? "");
    const before = readFileSync(path);
    const altered = Buffer.from(before);
    altered[0] = (altered[0] ?? 0) ^ 1;
    for (const forged of [altered, Buffer.concat([before, Buffer.from("forged\n")])]) {
      writeFileSync(path, forged);
      expect(await finished(project.start(["verify"]))).toMatchObject({
        exit: 4,
        stdout: expect.stringContaining("the log is not what its step had said") as string,
      });
    }
    rmSync(path);
    expect(await finished(project.start(["verify"]))).toMatchObject({
      exit: 0,
      stdout: expect.stringContaining("the log is gone") as string,
    });
  });
});
