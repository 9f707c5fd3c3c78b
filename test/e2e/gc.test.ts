/** What `mlpipe gc` takes and what it leaves, alone and beside runs. */
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, Project } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

/** Each round makes two objects of its own, and one that is the same in all rounds. */
const rounds: Readonly<Record<string, string>> = {
  "make.py": `import sys
open(sys.argv[2], "w").write("made of " + sys.argv[1] + "\\n")
`,
  "same.py": `import os, sys, time
while os.path.exists("hold.mark"):
    if not os.path.exists("waiting.mark"): open("waiting.mark", "w").close()
    time.sleep(0.02)
open(sys.argv[2], "w").write("always the same\\n")
`,
  "both.py": `import sys
open(sys.argv[3], "w").write(open(sys.argv[1]).read() + open(sys.argv[2]).read())
`,
  "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
export const make = data("make", {
  inputs: { round: z.int() },
  outputs: { made: file("txt") },
  command: (i, o) => cmd\`python3 make.py \${i.round} \${o.made}\`,
});
export const same = data("same", {
  inputs: { wait: z.int() },
  outputs: { made: file("txt") },
  command: (i, o) => cmd\`python3 same.py \${i.wait} \${o.made}\`,
});
export const both = data("both", {
  inputs: { one: file("txt"), other: file("txt") },
  outputs: { text: file("txt") },
  command: (i, o) => cmd\`python3 both.py \${i.one} \${i.other} \${o.text}\`,
});
`,
  "rounds.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { both, make, same } from "./steps.ts";
const Params = z.object({ round: z.int(), wait: z.int().default(0) });
export default pipeline("rounds", Params, ({ round, wait }) => {
  const { text } = both({ one: make({ round }).made, other: same({ wait }).made });
  return { text };
});
`,
};

const objectsOf = (project: Project): number => {
  const objects = join(project.root, ".mlpipe/objects");
  return readdirSync(objects).flatMap((start) => readdirSync(join(objects, start))).length;
};

/** The parts of `gc --json` that are looked at here. */
interface GcJson {
  readonly runs: readonly string[];
  readonly entries: number;
  readonly objects: { readonly count: number; readonly bytes: number };
  readonly deferred: { readonly count: number; readonly because: readonly string[] };
  readonly kept: { readonly runs: number; readonly objects: number };
}

async function collected(project: Project, ...args: readonly string[]): Promise<GcJson> {
  const { exit, stdout, stderr } = await project.mlpipe("gc", "--json", ...args);
  if (exit !== 0) throw new Error(`gc ended with ${exit}: ${stderr}`);
  return JSON.parse(stdout) as GcJson;
}

describe("gc", () => {
  it("overwrites in the database what it takes of it", async () => {
    using project = new Project(rounds);
    const wanted = 4_815_162_342;
    // The reasons of a run name what was before it, and a run stays as long as one of its results is used.
    for (const round of [wanted, 1, 2]) await project.run("-s", `round=${round}`, "-s", `wait=${round}`);
    const state = join(project.root, ".mlpipe/state.db");
    const tells = (): boolean =>
      [state, `${state}-wal`].some((file) => existsSync(file) && readFileSync(file).includes(String(wanted)));
    expect(tells()).toBe(true);
    await collected(project, "--keep-last", "1");
    expect(tells()).toBe(false);
  });

  it("without options takes leftovers alone: every run stays, and every result", async () => {
    using project = new Project(rounds);
    for (const round of [1, 2]) await project.run("-s", `round=${round}`);
    project.write({ ".mlpipe/attempts/make-0123456789abcdef/x": "x" });
    expect(await collected(project)).toMatchObject({
      runs: [],
      entries: 0,
      objects: { count: 0 },
      leftovers: 1,
      kept: { runs: 2, objects: 5 },
    });
    expect(await project.statuses("-s", "round=1")).toEqual({ cached: ["make", "same", "both"] });
    expect(await project.mlpipe("gc")).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/^Nothing to collect\.\nKept: 3 runs, 5 objects \(\d+ B\)\.\n$/),
    });
  });

  it("--keep-last takes the runs before, and leaves what later ones use of them", async () => {
    using project = new Project(rounds);
    const first = await project.run("-s", "round=1");
    const second = await project.run("-s", "round=2");
    // Made in the first run, and used by the third.
    const third = await project.run("-s", "round=3");
    expect(third.steps.map(({ status }) => status)).toEqual(["ran", "cached", "ran"]);
    expect(objectsOf(project)).toBe(7);

    const dry = await collected(project, "--keep-last", "1", "--dry-run");
    expect(objectsOf(project)).toBe(7);
    const gone = await collected(project, "--keep-last", "1");
    expect(gone).toEqual({ ...dry, dryRun: false });
    // The first run made what the third used: its records stay, its own results go.
    expect(gone).toMatchObject({
      runs: [second.run],
      entries: 4,
      objects: { count: 4 },
      kept: { objects: 3 },
    });
    expect(objectsOf(project)).toBe(3);

    const shown = await project.mlpipe("show", second.run);
    expect(shown.exit).toBe(2);
    expect(shown.stderr).toContain("of rounds was removed by mlpipe gc at ");
    expect((await project.mlpipe("show", first.run)).exit).toBe(0);
    expect(existsSync(join(project.root, ".mlpipe/runs", second.run))).toBe(false);
    expect(project.read(".mlpipe/runs/tombstones.jsonl")).toContain(second.run);
    expect((await project.mlpipe("verify")).stdout).toContain("The store is whole");
    expect(await project.statuses("-s", "round=3")).toEqual({ cached: ["make", "same", "both"] });
    expect(await project.statuses("-s", "round=2")).toEqual({ ran: ["make", "both"], cached: ["same"] });
  });

  it("--older-than and --max-size, and what they do not take", async () => {
    using project = new Project(rounds);
    for (const round of [1, 2, 3]) await project.run("-s", `round=${round}`);
    expect((await collected(project, "--older-than", "1h")).runs).toEqual([]);
    expect((await collected(project, "--keep-last", "3", "--older-than", "0s")).runs).toEqual([]);
    const { runs } = await collected(project, "--older-than", "0s", "--keep-last", "2");
    expect(runs).toEqual([]);
    // Room for what two of them made, and not for three.
    const sized = await collected(project, "--max-size", "110B");
    expect(sized.kept.objects).toBe(5);
    expect(await project.statuses("-s", "round=3")).toEqual({ cached: ["make", "same", "both"] });
    const less = await project.mlpipe("gc", "--max-size", "1B");
    expect([less.exit, less.stdout]).toEqual([
      0,
      expect.stringMatching(/^Kept: .*\nThat is more than 1B: /m),
    ]);
    expect((await project.mlpipe("gc", "--max-size", "1MB")).stdout).not.toContain("more than");
    for (const wrong of [
      ["--keep-last", "0"],
      ["--older-than", "soon"],
      ["--max-size", "much"],
      // Of ten bytes nothing would be left.
      ["--max-size", "10"],
    ]) {
      const { exit, stderr } = await project.mlpipe("gc", ...wrong);
      expect(exit).toBe(2);
      expect(stderr).toContain("MLP6010");
    }
  });

  it("never takes what is deployed", async () => {
    using project = new Project(smallPipeline);
    const deployed = await project.run();
    for (const limit of [0.5, 0.6]) await project.run("-s", `limit=${limit}`, "-s", "shrink=0.1");
    const { runs } = await collected(project, "--keep-last", "1", "--older-than", "0s");
    expect(runs).not.toContain(deployed.run);
    expect((await project.mlpipe("get", "fit.model", "--run", deployed.run, "-o", "model.json")).exit).toBe(
      0,
    );
    const again = await project.statuses();
    expect(again).toEqual({ cached: ["split", "fit", "score", "good-enough", "publish"] });
  });
});

describe("gc beside a run", () => {
  it("leaves what the run has taken from the cache, though nothing else refers to it", async () => {
    using project = new Project(rounds);
    await project.run("-s", "round=1");
    await project.run("-s", "round=2");
    project.write({ "hold.mark": "" });
    const held = finished(project.start(["run", "--json", "-s", "round=1", "-s", "wait=1"]));
    while (!existsSync(join(project.root, "waiting.mark"))) await pause(20);

    const beside = await collected(project, "--keep-last", "1");
    expect(beside).toMatchObject({ entries: 2, objects: { count: 0 }, deferred: { count: 2 } });
    expect(beside.deferred.because).toHaveLength(1);
    const again = await collected(project, "--keep-last", "1");
    expect(again).toMatchObject({ objects: { count: 0 }, deferred: { count: 2 } });
    rmSync(join(project.root, "hold.mark"));
    const { exit, stdout, stderr } = await held;
    expect(exit, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ status: "succeeded" });
    expect(project.read("artifacts/rounds/text.txt")).toBe("made of 1\nalways the same\n");

    // It is over, and its record names what it used.
    expect(await collected(project, "--keep-last", "1")).toMatchObject({ deferred: { count: 0 } });
    expect((await project.mlpipe("verify")).exit).toBe(0);
    expect((await project.mlpipe("get", "make.made", "-o", "made.txt")).exit).toBe(0);
  });

  it("that has planned with what is dropped, and holds no lock yet, plans again", async () => {
    using project = new Project(rounds);
    await project.run("-s", "round=1");
    await project.run("-s", "round=2");
    // Nothing lies between what was taken from the cache and the lock.
    project.write({
      "slow.mjs": `import { DatabaseSync } from "node:sqlite";
import { existsSync, writeFileSync } from "node:fs";
const { exec } = DatabaseSync.prototype;
DatabaseSync.prototype.exec = function (sql) {
  if (sql === "BEGIN EXCLUSIVE" && !existsSync("planned.mark")) {
    writeFileSync("planned.mark", "");
    while (!existsSync("go.mark")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  return exec.call(this, sql);
};
`,
    });
    const late = finished(
      project.start(["run", "--json", "-s", "round=1", "-s", "wait=1"], {
        NODE_OPTIONS: `--import=${join(project.root, "slow.mjs")}`,
      }),
    );
    while (!existsSync(join(project.root, "planned.mark"))) await pause(20);
    const gone = await collected(project, "--keep-last", "1");
    project.write({ "go.mark": "" });
    const { exit, stdout, stderr } = await late;
    expect(exit, stderr).toBe(0);
    expect(gone).toMatchObject({ entries: 2, objects: { count: 2 } });
    const { steps } = JSON.parse(stdout) as { steps: { status: string }[] };
    expect(steps.map(({ status }) => status)).toEqual(["ran", "ran", "ran"]);
    expect(project.read("artifacts/rounds/text.txt")).toBe("made of 1\nalways the same\n");
    const runs = JSON.parse((await project.mlpipe("runs", "--json")).stdout) as {
      runs: { status: string }[];
    };
    expect(runs.runs.map(({ status }) => status)).toEqual(["succeeded", "succeeded", "succeeded"]);
  });

  it("leaves all that is the run's, though the clock was set back while it went on", async () => {
    using project = new Project(rounds);
    await project.run("-s", "round=1");
    await project.run("-s", "round=2");
    project.write({ "hold.mark": "" });
    const held = finished(project.start(["run", "--json", "-s", "round=1", "-s", "wait=1"]));
    while (!existsSync(join(project.root, "waiting.mark"))) await pause(20);
    // Its locks are from an hour that is yet to come.
    const runs = join(project.root, ".mlpipe/runs");
    const ahead = new Date(Date.now() + 3_600_000);
    for (const path of readdirSync(runs, { recursive: true }).map(String))
      if (path.endsWith(".db")) utimesSync(join(runs, path), ahead, ahead);
    expect(await collected(project, "--keep-last", "1")).toMatchObject({
      objects: { count: 0 },
      deferred: { count: 2 },
    });
    rmSync(join(project.root, "hold.mark"));
    const { exit, stdout, stderr } = await held;
    expect(exit, `${stdout}\n${stderr}`).toBe(0);
    expect(project.read("artifacts/rounds/text.txt")).toBe("made of 1\nalways the same\n");
  });

  it("leaves the work folders of steps that made folders to the next steps", async () => {
    using project = new Project({
      "wait.sh": `: > $1.mark; while [ ! -e go.mark ]; do sleep 0.02; done; echo done > $2\n`,
      "steps.ts": `import { cmd, data, dir, file } from "mlpipe";
import { z } from "zod";
export const folder = data("folder", {
  inputs: { n: z.int() },
  outputs: { made: dir() },
  command: (i, o) => cmd\`cp wait.sh \${o.made}/\${i.n}\`,
});
export const wait = data("wait", {
  inputs: { one: dir(), other: dir(), third: dir() },
  outputs: { done: file("txt") },
  files: ["wait.sh"],
  command: (_i, o) => cmd\`sh wait.sh waiting \${o.done}\`,
});
export const after = data("after", {
  inputs: { done: file("txt"), n: z.int() },
  outputs: { text: file("txt") },
  command: (i, o) => cmd\`cp \${i.done} \${o.text}\`,
});
`,
      "folders.pipeline.ts": `import { pipeline } from "mlpipe";
import { after, folder, wait } from "./steps.ts";
export default pipeline("folders", () => {
  const made = (n) => folder.as("folder-" + n)({ n }).made;
  const { done } = wait({ one: made(1), other: made(2), third: made(3) });
  for (const n of [1, 2]) after.as("after-" + n)({ done, n });
  return { done };
});
`,
    });
    const running = finished(project.start(["run", "--json", "--jobs", "3"]));
    while (!existsSync(join(project.root, "waiting.mark"))) await pause(20);
    await collected(project);
    project.write({ "go.mark": "" });
    const { exit, stdout, stderr } = await running;
    expect(exit, `${stdout}\n${stderr}`).toBe(0);
    expect(readdirSync(join(project.root, ".mlpipe/attempts"))).toEqual([]);
  });

  it("collects again and again while runs go on: every run succeeds, and the store stays whole", async () => {
    using project = new Project(rounds);
    const times = Number(process.env["MLPIPE_FAULT_ROUNDS"] ?? 6);
    const over = new AbortController();
    const collecting = (async () => {
      const results: (number | null)[] = [];
      while (!over.signal.aborted) results.push((await project.mlpipe("gc", "--keep-last", "1")).exit);
      return results;
    })();
    const runs: unknown[] = [];
    for (let round = 0; round < times; round++) {
      const both = await Promise.all(
        [round, round - 1, round].map((each) => finished(project.start(["run", "-s", `round=${each}`]))),
      );
      runs.push(...both.map(({ exit, stderr }) => (exit === 0 ? exit : stderr)));
    }
    over.abort();
    const exits = await collecting;
    expect(runs).toEqual(runs.map(() => 0));
    expect(new Set(exits)).toEqual(new Set([0]));
    const verified = await project.mlpipe("verify");
    expect(verified.exit, verified.stdout).toBe(0);
  });
});

it("checkpoints go when nobody has gone on from them for long", async () => {
  using project = new Project(rounds);
  await project.mlpipe("run", "-s", "round=1");
  const checkpoints = join(project.root, ".mlpipe/checkpoints");
  const touched = (name: string, days: number): void => {
    project.write({ [`.mlpipe/checkpoints/${name}/epoch`]: "3" });
    const at = new Date(Date.now() - days * 86_400_000);
    for (const path of [join(name, "epoch"), name]) utimesSync(join(checkpoints, path), at, at);
  };
  touched("fit-0123456789abcdef", 40);
  touched("fit-fedcba9876543210", 10);
  const dry = await project.mlpipe("gc", "--dry-run");
  expect(dry.stdout).toContain("Would remove 1 checkpoint (1 B).");
  expect(readdirSync(checkpoints)).toHaveLength(2);
  expect((await project.mlpipe("gc")).stdout).toContain("Removed 1 checkpoint (1 B).");
  expect(readdirSync(checkpoints)).toEqual(["fit-fedcba9876543210"]);
  await project.mlpipe("gc", "--older-than", "5d");
  expect(readdirSync(checkpoints)).toEqual([]);
});
