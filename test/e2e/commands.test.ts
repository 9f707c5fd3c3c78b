/** The commands that look at pipelines and records, as users and scripts call them. */
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { EventSchema } from "@mlpipe/executor/events";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { finished, mlpipe, Project } from "./project.ts";
import { smallPipeline, smallSteps } from "./small-pipeline.ts";

let project: Project;
let firstRun: string;
beforeAll(async () => {
  project = new Project(smallPipeline);
  firstRun = (await project.run()).run;
});
afterAll(() => {
  project[Symbol.dispose]();
});

const json = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
  const { stdout, stderr, exit } = await project.mlpipe(...args, "--json");
  expect(exit, stderr).toBe(0);
  const document = JSON.parse(stdout) as Record<string, unknown>;
  expect(document["schemaVersion"]).toBe(1);
  return document;
};

describe("looking at a pipeline", () => {
  it("why names the value that changed, and where it comes from", async () => {
    const { stdout, exit } = await project.mlpipe("why", "fit", "-s", "shrink=0.5");
    expect(exit).toBe(0);
    expect(stdout).toContain("fit would run\n  input shrink 1 → 0.5 (params.shrink)\n  compared with run ");
    expect(await json("why", "fit", "-s", "shrink=0.5")).toMatchObject({
      step: "fit",
      decision: "run",
      against: expect.any(String),
      reasons: [{ part: "inputs", name: "shrink", before: 1, after: 0.5 }],
    });
    expect(await json("why", "fit")).toMatchObject({ decision: "cached", reasons: [{ part: "unchanged" }] });
  });

  it("why --against compares with what an earlier run used", async () => {
    using own = new Project(smallPipeline);
    const { run: first } = await own.run();
    await own.run("-s", "shrink=0.5");
    const { stdout } = await own.mlpipe("why", "fit", "-s", "shrink=0.5", "--against", first, "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      decision: "cached",
      reasons: [{ message: "input shrink 1 → 0.5 (params.shrink)" }],
    });
  });

  it("plan tells what would run and waits to know the rest", async () => {
    const { stdout } = await project.mlpipe("plan", "-s", "shrink=0.5");
    expect(stdout).toMatch(/split +cached +nothing changed since/);
    expect(stdout).toMatch(/fit +run +input shrink 1 → 0.5 \(params.shrink\)/);
    expect(stdout).toMatch(/score +waits +waits for fit/);
    expect(stdout).toContain("5 steps: 1 to run, 1 cached, 3 known once the steps before have run");
    expect((await project.mlpipe("run", "--dry-run", "-s", "shrink=0.5")).stdout).toBe(stdout);
  });

  it("status says what is stale", async () => {
    expect((await project.mlpipe("status")).stdout).toContain("up to date: all of 5 steps");
    expect(await json("status", "-s", "shrink=0.5")).toMatchObject({
      upToDate: 1,
      stale: [{ id: "fit", because: "changed" }, { id: "score", because: "upstream" }, {}, {}],
      lastRun: { status: "succeeded" },
    });
  });

  it("graph draws the steps for people and for other tools", async () => {
    const text = (await project.mlpipe("graph")).stdout;
    expect(text).toMatch(/split +data +← data\/points.csv/);
    expect(text).toMatch(/score +evaluate +← fit, split/);
    const dot = (await project.mlpipe("graph", "--format", "dot")).stdout;
    expect(dot).toContain('"good-enough" -> "publish";');
    const mermaid = (await project.mlpipe("graph", "--format", "mermaid")).stdout;
    expect(mermaid).toContain('flowchart LR\n  s0["split"]');
    expect(mermaid).toContain("s3 --> s4");
    const { steps } = await json("graph");
    expect((steps as { id: string; needs: string[] }[]).map(({ id, needs }) => [id, needs])).toEqual([
      ["split", []],
      ["fit", ["split"]],
      ["score", ["fit", "split"]],
      ["good-enough", ["fit", "score"]],
      ["publish", ["good-enough"]],
    ]);
  });

  it("a module that prints while it is imported does not spoil the JSON", async () => {
    using noisy = new Project({
      ...smallPipeline,
      "late.ts": `console.log("hello");\n${smallPipeline["late.ts"]}`,
    });
    const { stdout, stderr } = await noisy.mlpipe("plan", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ pipeline: "line" });
    expect(stderr).toContain("hello");
  });

  it("params come from a file, and -s wins", async () => {
    using own = new Project({ ...smallPipeline, "params.yaml": "shrink: 0.5\nlimit: 100\n" });
    const { stdout } = await own.mlpipe("run", "--params", "params.yaml", "-s", "shrink=0.25", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ status: "succeeded" });
    const { run } = JSON.parse((await own.mlpipe("show", "last", "--json")).stdout) as {
      run: { params: unknown };
    };
    expect(run.params).toEqual({ from: 5, shrink: 0.25, seed: 1, limit: 100 });
  });

  it("-C acts in another folder", async () => {
    const { stdout, exit } = await project.mlpipe("-C", join(project.root, "steps"), "status");
    expect(exit).toBe(0);
    expect(stdout).toContain("line");
  });
});

describe("looking at records", () => {
  it("runs lists them, newest first", async () => {
    const { runs } = await json("runs");
    expect((runs as { run: string }[]).at(-1)?.run).toBe(firstRun);
    expect((await project.mlpipe("runs")).stdout).toMatch(/line +succeeded .* 5 ran, 0 cached +score\.mae 0/);
    expect((await project.mlpipe("runs", "--limit", "none")).exit).toBe(2);
  });

  it("show tells people what happened", async () => {
    const { stdout } = await project.mlpipe("show", firstRun.slice(0, 18));
    expect(stdout).toMatch(/pipeline +line \(line\.pipeline\.ts\)/);
    expect(stdout).toMatch(/fit +ran +\d+\.\d s +\d+\.\d MiB +never ran before/);
    expect(stdout).toMatch(/metrics\n +score +mae +0\n/);
    expect((await project.mlpipe("show", "ffffffff")).stderr).toContain("MLP5001  There is no run ffffffff.");
  });

  it("logs gives what a step said, and says when it said nothing", async () => {
    expect((await project.mlpipe("logs", firstRun, "fit")).stdout).toBe("slope 2.0\n");
    expect((await project.mlpipe("logs", firstRun)).stdout).toBe("slope 2.0\n");
    const unknown = await project.mlpipe("logs", firstRun, "fitt");
    expect(unknown.exit).toBe(2);
    expect(unknown.stderr).toContain("Did you mean fit?");
    const { run } = await project.run();
    const cached = await project.mlpipe("logs", run, "fit");
    expect(cached.stderr).toContain(
      `MLP6016  "fit" was not executed in run ${run.slice(0, 18)}: it was cached.`,
    );
  });

  it("get takes an output out, prints it, and writes over nothing", async () => {
    expect((await project.mlpipe("get", "fit.model", "-o", "out/model.json")).exit).toBe(0);
    expect(JSON.parse(project.read("out/model.json"))).toEqual({ slope: 2 });
    const again = await project.mlpipe("get", "fit.model", "-o", "out/model.json");
    expect([again.exit, again.stderr.split("\n")[0]]).toEqual([2, "MLP6015  out/model.json exists already."]);
    expect((await project.mlpipe("get", "fit.model", "-o", "out/model.json", "--overwrite")).exit).toBe(0);
    expect((await project.mlpipe("get", "split.rows", "-o", "-")).stdout).toBe("6");
    const unknown = await project.mlpipe("get", "fit.modle", "-o", "-");
    expect(unknown.exit).toBe(2);
    expect(unknown.stderr).toContain("Did you mean fit.model?");
  });

  it("get prints an output of any size, and stops when nobody reads it", { timeout: 60_000 }, async () => {
    // More than Node reads at once.
    const size = 2_200_000_000;
    using large = new Project({
      "steps.ts": `import { cmd, data, file } from "mlpipe";
export const make = data("make", { outputs: { big: file("bin") }, command: (_, o) => cmd\`truncate -s ${size} \${o.big}\` });
export const fill = data("fill", { outputs: { small: file("bin") }, command: (_, o) => cmd\`truncate -s 20M \${o.small}\` });`,
      "large.pipeline.ts": `import { pipeline } from "mlpipe";
import { fill, make } from "./steps.ts";
export default pipeline("large", () => { make({}); fill({}); return {}; });`,
    });
    expect((await large.run()).exit).toBe(0);
    const printing = large.start(["get", "make.big", "-o", "-"]);
    let read = 0;
    let memory = "";
    printing.stdout?.on("data", (bytes: Buffer) => {
      read += bytes.length;
      if (read === size && process.platform === "linux")
        memory = readFileSync(`/proc/${printing.pid}/status`, "utf8");
    });
    const [exit] = (await once(printing, "close")) as [number | null];
    expect([exit, read]).toEqual([0, size]);
    // Only Linux tells it.
    const peak = Number(/VmHWM:\s+(\d+) kB/.exec(memory)?.[1] ?? 0);
    expect(peak).toBeLessThan(200_000);

    const cut = large.start(["get", "fill.small", "-o", "-"]);
    let said = "";
    cut.stderr?.on("data", (bytes: Buffer) => (said += String(bytes)));
    cut.stdout?.once("data", () => cut.stdout?.destroy());
    const [end] = (await once(cut, "close")) as [number | null];
    expect([end, said]).toEqual([0, ""]);
  });

  it("executes no code of the project", async () => {
    using broken = new Project(smallPipeline);
    await broken.run();
    broken.write({
      "line.pipeline.ts": "throw new Error('executed');",
      "mlpipe.config.ts": "throw new Error('executed');",
    });
    for (const args of [["runs"], ["show", "last"], ["logs", "last"], ["get", "fit.model", "-o", "-"]]) {
      const { exit, stderr } = await broken.mlpipe(...args);
      expect([args[0], exit, stderr.includes("executed")]).toEqual([args[0], 0, false]);
    }
  });

  it("in a folder where nothing ran makes nothing", async () => {
    using empty = new Project({});
    expect((await empty.mlpipe("runs")).stdout).toBe("Nothing has run here yet.\n");
    expect((await empty.mlpipe("show", "last")).exit).toBe(2);
    expect(existsSync(join(empty.root, ".mlpipe"))).toBe(false);
  });

  it("a reader that goes away is no error", async () => {
    const child = project.start(["show", "last", "--json"]);
    child.stdout?.destroy();
    expect((await finished(child)).exit).toBe(0);
  });
});

describe("events", () => {
  it("--ndjson prints each as a line of JSON", async () => {
    using own = new Project(smallPipeline);
    const { stdout } = await own.mlpipe("run", "--ndjson");
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => EventSchema.parse(JSON.parse(line)));
    expect(events[0]).toMatchObject({ type: "run-started", pipeline: "line" });
    expect(events.at(-1)).toMatchObject({ type: "run-finished", status: "succeeded" });
    expect(events.filter(({ type }) => type === "step-finished")).toHaveLength(smallSteps.length);
    expect(events).toContainEqual(
      expect.objectContaining({ type: "step-output", step: "fit", line: "slope 2.0" }),
    );
  });
});

describe("init", () => {
  for (const options of [[], ["--python"]]) {
    it(`makes a project that runs at once ${options.join("")}`, async () => {
      using place = new Project({});
      const { exit, stdout } = await place.mlpipe("init", "homes", ...options);
      expect(exit).toBe(0);
      expect(stdout).toContain("Next:  cd homes && ");
      // The node_modules of the rig stands above; a project of its own would install its own.
      mkdirSync(join(place.root, "homes/node_modules"), { recursive: true });
      for (const name of ["mlpipe", "zod"]) {
        symlinkSync(join(place.root, "node_modules", name), join(place.root, "homes/node_modules", name));
      }
      const run = await place.mlpipe("-C", "homes", "run", "--json");
      expect(run.exit, run.stderr).toBe(0);
      const { steps } = JSON.parse(run.stdout) as { steps: { status: string; metrics?: { mae: number } }[] };
      expect(steps.map(({ status }) => status)).toEqual(["ran", "ran", "ran", "ran", "ran"]);
      expect(steps[2]?.metrics?.mae).toBeLessThan(30);
      expect(JSON.parse(readFileSync(join(place.root, "homes/deployed/model.json"), "utf8"))).toHaveProperty(
        "perArea",
      );
      const again = await place.mlpipe("init", "homes");
      expect([again.exit, again.stderr.slice(0, 7)]).toEqual([2, "MLP6015"]);
    });
  }
});

it("the command is executable by itself", () => {
  expect(readFileSync(mlpipe, "utf8").startsWith("#!/usr/bin/env node\n")).toBe(true);
});
