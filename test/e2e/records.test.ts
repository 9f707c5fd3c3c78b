/** What is known of a run afterwards: `mlpipe show RUN --json` answers the questions of a reviewer. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";
import { smallPipeline, smallSteps } from "./small-pipeline.ts";

interface Ref {
  readonly type: string;
  readonly digest: string;
  readonly size: number;
  readonly from?: { readonly step: string; readonly port: string; readonly stepRun: string };
}

interface Shown {
  readonly run: {
    readonly id: string;
    readonly status: string;
    readonly pipeline: { readonly name: string; readonly file: string };
    readonly git: {
      readonly commit: string;
      readonly ref: string;
      readonly dirty: {
        readonly diff: Ref | null;
        readonly untracked: readonly { readonly name: string }[];
      } | null;
    } | null;
    readonly trigger: Record<string, unknown>;
    readonly by: { readonly user: string; readonly host: string };
    readonly argv: readonly string[];
    readonly params: unknown;
    readonly startedAt: string;
    readonly endedAt: string;
    readonly durationMs: number;
    readonly env: string;
    readonly steps: readonly {
      readonly id: string;
      readonly status: string;
      readonly stepRun: string;
      readonly reasons: readonly { readonly message: string }[];
    }[];
  };
  readonly stepRuns: readonly {
    readonly id: string;
    readonly run: string;
    readonly step: { readonly id: string; readonly module: string };
    readonly env: string;
    readonly keyParts: Readonly<Record<string, string>>;
    readonly inputs: Readonly<Record<string, Ref>>;
    readonly outputs: Readonly<Record<string, Ref>>;
    readonly params: Record<string, unknown>;
    readonly seeds: Record<string, number>;
    readonly argv: readonly string[];
    readonly metrics: readonly Record<string, unknown>[];
    readonly checks: readonly Record<string, unknown>[];
    readonly attempts: readonly {
      readonly exit: { readonly code: number };
      readonly usage: { readonly cpuUserMs: number; readonly maxRssBytes: number } | null;
      readonly stdout: { readonly path: string; readonly size: number } | null;
    }[];
  }[];
  readonly documents: Readonly<Record<string, Record<string, unknown>>>;
}

const git = (cwd: string, ...args: readonly string[]): string =>
  execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], {
    cwd,
    encoding: "utf8",
  }).trim();

const sha256 = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

async function shown(project: Project, run = "last"): Promise<Shown> {
  const { stdout, stderr, exit } = await project.mlpipe("show", run, "--json");
  expect(exit, stderr).toBe(0);
  return JSON.parse(stdout) as Shown;
}

describe("the record of a run", () => {
  it("says which data, code, params and environment, who, when, how long, how much memory, and why", async () => {
    using project = new Project({
      ...smallPipeline,
      ".gitignore": "node_modules\n.mlpipe\nartifacts\ndeployed\n",
    });
    git(project.root, "init", "-q", "-b", "main");
    git(project.root, "add", ".");
    git(project.root, "commit", "-q", "-m", "first");
    const commit = git(project.root, "rev-parse", "HEAD");
    project.edit("fit.py", "import argparse", "# a change that is not committed\nimport argparse");
    project.write({ "notes.txt": "not in git" });
    await project.run("-s", "limit=9", "-s", "shrink=0.9", "-s", "seed=3");
    const { run, stepRuns, documents } = await shown(project);
    const fit = stepRuns.find(({ step }) => step.id === "fit");
    const score = stepRuns.find(({ step }) => step.id === "score");

    // Which data: by content, down to the source.
    const split = stepRuns.find(({ step }) => step.id === "split");
    expect(split?.inputs["points"]).toMatchObject({
      name: "data/points.csv",
      type: "file",
      digest: sha256(join(project.root, "data/points.csv")),
    });
    expect(fit?.inputs["points"]?.from).toEqual({ step: "split", port: "train", stepRun: split?.id });
    expect(score?.inputs["model"]?.digest).toBe(fit?.outputs["model"]?.digest);
    expect(fit?.outputs["model"]?.digest).toBe(sha256(join(project.root, "artifacts/line/model.json")));
    // Which code: the commit, what was changed since, and the parts of each step's key.
    expect(run.git).toMatchObject({ commit, ref: "refs/heads/main" });
    expect(run.git?.dirty?.diff?.size).toBeGreaterThan(50);
    expect(run.git?.dirty?.untracked.map(({ name }) => name)).toContain("notes.txt");
    const code = documents[fit?.keyParts["code"] ?? ""] as { parts: Record<string, string> } | undefined;
    expect(Object.keys(code?.parts ?? {}).join(" ")).toContain("fit.py");
    expect(fit?.argv.slice(0, 3)).toEqual(["python3", "fit.py", "--data"]);
    // Which params and seeds.
    expect(run.params).toEqual({ from: 5, shrink: 0.9, seed: 3, limit: 9 });
    expect(fit?.params).toEqual({ shrink: 0.9, seed: 3 });
    expect(fit?.seeds).toEqual({ seed: 3 });
    // Which environment.
    expect(documents[fit?.env ?? ""]).toMatchObject({ platform: process.platform, arch: process.arch });
    expect(documents[run.env]).toMatchObject({ node: process.version, timezone: expect.any(String) });
    // Who, when, how long, by what command.
    expect(run.by).toMatchObject({ user: userInfo().username, host: hostname() });
    expect(run.trigger).toEqual({ kind: "cli", trust: "local" });
    expect(run.argv).toEqual([
      "mlpipe",
      "run",
      "--json",
      "-s",
      "limit=9",
      "-s",
      "shrink=0.9",
      "-s",
      "seed=3",
    ]);
    expect(Date.parse(run.endedAt) - Date.parse(run.startedAt)).toBeGreaterThan(0);
    expect(run.durationMs).toBeGreaterThan(0);
    // How much memory and processor time each step took.
    for (const { attempts, step } of stepRuns) {
      const usage = attempts.at(-1)?.usage;
      expect(usage?.maxRssBytes, step.id).toBeGreaterThan(4 * 1024 * 1024);
      expect(usage?.cpuUserMs, step.id).toBeGreaterThanOrEqual(0);
    }
    // How it was judged.
    expect(score?.metrics).toEqual([
      { name: "mae", value: expect.any(Number), port: "metrics", direction: "min" },
    ]);
    expect(stepRuns.find(({ step }) => step.id === "good-enough")?.checks).toEqual([
      { name: "good-enough", status: "pass" },
    ]);
    // What it said.
    const log = fit?.attempts[0]?.stdout;
    expect(readFileSync(join(project.root, ".mlpipe", log?.path ?? ""), "utf8")).toContain("slope");
    // Why each step ran.
    expect(run.steps.map(({ id, status, reasons }) => `${id} ${status}: ${reasons[0]?.message}`)).toEqual(
      smallSteps.map((id) => `${id} ran: never ran before`),
    );
  });

  it("of a run that found everything kept names the step runs that made it", async () => {
    using project = new Project(smallPipeline);
    const first = await project.run();
    await project.run();
    const { run, stepRuns } = await shown(project);
    expect(run.steps.map(({ status }) => status)).toEqual(smallSteps.map(() => "cached"));
    expect(run.steps.map(({ stepRun }) => stepRun)).toEqual(first.steps.map(({ stepRun }) => stepRun));
    expect(stepRuns.map(({ run: made }) => made)).toEqual(smallSteps.map(() => first.run));
    expect(run.steps[0]?.reasons[0]?.message).toContain("nothing changed since");
  });

  it("of a run in CI says what triggered it", async () => {
    using project = new Project(smallPipeline);
    const env = {
      CI: "true",
      GITHUB_ACTIONS: "true",
      GITHUB_EVENT_NAME: "push",
      GITHUB_ACTOR: "ada",
      GITHUB_SERVER_URL: "https://github.example",
      GITHUB_REPOSITORY: "ada/rain",
      GITHUB_RUN_ID: "17",
    };
    expect((await finished(project.start(["run"], env))).exit).toBe(0);
    expect((await shown(project)).run.trigger).toMatchObject({
      kind: "ci",
      provider: "github",
      event: "push",
      actor: "ada",
      runUrl: "https://github.example/ada/rain/actions/runs/17",
    });
  });

  it("of a failure keeps the error, and nothing as an output", async () => {
    using project = new Project(smallPipeline);
    project.edit("fit.py", 'print("slope", slope)', 'raise SystemExit("no convergence")');
    expect((await project.run()).exit).toBe(1);
    const { stdout } = await project.mlpipe("show", "last", "--json");
    const { stepRuns } = JSON.parse(stdout) as {
      stepRuns: { step: { id: string }; status: string; outputs: object; error?: { code: string } }[];
    };
    expect(stepRuns.at(-1)).toMatchObject({
      step: { id: "fit" },
      status: "failed",
      outputs: {},
      error: { code: "MLP3001" },
    });
  });
});
