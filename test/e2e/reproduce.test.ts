/** `mlpipe reproduce`: recorded steps, executed again from what is recorded, and why they came out otherwise. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Project } from "./project.ts";
import { smallPipeline, smallSteps } from "./small-pipeline.ts";

interface Reproduced {
  readonly step: string;
  readonly verdict: string;
  readonly cause?: string;
  readonly reason?: string;
  readonly suspects: readonly string[];
  readonly outputs: Readonly<Record<string, { readonly verdict: string; readonly detail?: string }>>;
  readonly determinism?: { readonly samples: number; readonly distinct: number };
}

interface ReproductionJson {
  readonly exit: number | null;
  readonly run: string;
  readonly verdict: string;
  readonly steps: readonly Reproduced[];
}

async function reproduced(project: Project, ...args: readonly string[]): Promise<ReproductionJson> {
  const { exit, stdout, stderr } = await project.mlpipe("reproduce", "--json", ...args);
  if (stdout === "") throw new Error(stderr);
  const { reproduction } = JSON.parse(stdout) as { reproduction: Omit<ReproductionJson, "exit"> };
  return { ...reproduction, exit };
}

const verdictsOf = ({ steps }: ReproductionJson): readonly string[] =>
  steps.map(({ step, verdict }) => `${step} ${verdict}`);

function git(project: Project, ...args: readonly string[]): string {
  return execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], {
    cwd: project.root,
    encoding: "utf8",
  });
}

function committed(project: Project): void {
  git(project, "init", "-q", "-b", "main");
  project.write({ ".gitignore": "node_modules\nartifacts\ndeployed\nignored\nmlpipe.lock\n" });
  git(project, "add", ".");
  git(project, "commit", "-q", "-m", "first");
}

const scratchFolders = (): readonly string[] =>
  readdirSync(tmpdir()).filter((name) => name.startsWith("mlpipe-reproduce-"));

const one = (
  body: string,
  more: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> => ({
  "steps.ts": `import { data, file, json } from "mlpipe";
import { z } from "zod";
${body}
`,
  "one.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import * as steps from "./steps.ts";
export default pipeline("one", z.object({ by: z.number().default(2) }), (p) => ({ ...steps.make({ by: p.by }) }));
`,
  ...more,
});

describe("what is the same again", () => {
  it("is found so from the recorded commit, changes and untracked code, whatever the project has become", async () => {
    using project = new Project(smallPipeline);
    committed(project);
    // None is committed when the run happens: a change, a new file, and one that git ignores.
    project.edit("fit.py", "slope * float", "2 * slope * float");
    project.edit("late.ts", "return x >= from", "return isAt(x, from)");
    project.write({
      "late.ts": `import { isAt } from "./at.ts";\n${project.read("late.ts")}`,
      "at.ts": `export { isAbove as isAt } from "./ignored/above.ts";\n`,
      "ignored/above.ts": "export const isAbove = (x: number, from: number): boolean => x > from;\n",
    });
    const run = await project.run("-s", "limit=100");
    expect(run.steps.map(({ status }) => status)).toEqual(smallSteps.map(() => "ran"));
    const deployed = project.read("deployed/model.json");
    project.write({
      "fit.py": "raise SystemExit(1)\n",
      "deployed/model.json": "mine",
      "at.ts": "export const isAt = 0;\n",
      "ignored/above.ts": "export const isAbove = () => false;\n",
    });
    const before = [
      git(project, "status", "--short"),
      git(project, "worktree", "list"),
      git(project, "rev-parse", "HEAD"),
    ];

    const again = await reproduced(project, run.run);
    expect(again.exit).toBe(0);
    expect(verdictsOf(again)).toEqual([
      "split IDENTICAL",
      "fit IDENTICAL",
      "score IDENTICAL",
      "good-enough IDENTICAL",
      "publish NOT_RERUN",
    ]);
    expect(again.steps[1]?.determinism).toEqual({ samples: 3, distinct: 1 });
    expect(deployed).not.toBe("mine");
    expect(project.read("deployed/model.json")).toBe("mine");
    expect([
      git(project, "status", "--short"),
      git(project, "worktree", "list"),
      git(project, "rev-parse", "HEAD"),
    ]).toEqual(before);
    expect(scratchFolders()).toEqual([]);

    // The verdict is a record in the chain of the run, and the store holds together.
    const lines = readFileSync(join(project.root, ".mlpipe/runs", run.run, "records.jsonl"), "utf8")
      .trim()
      .split("\n");
    expect(JSON.parse(lines.at(-1) ?? "")).toMatchObject({
      type: "reproduction",
      reproduction: { run: run.run, verdict: "IDENTICAL" },
    });
    expect((await project.mlpipe("verify")).exit).toBe(0);
  });

  it("is found so where a link to what is installed was committed", async () => {
    using project = new Project(smallPipeline);
    const modules = join(project.root, "node_modules");
    renameSync(modules, `${modules}.mine`);
    symlinkSync("node_modules.mine", modules);
    git(project, "init", "-q", "-b", "main");
    project.write({ ".gitignore": "node_modules/\nnode_modules.mine\nartifacts\ndeployed\nmlpipe.lock\n" });
    git(project, "add", ".");
    git(project, "commit", "-q", "-m", "first");
    await project.run();
    const { exit, verdict } = await reproduced(project, "last");
    expect([exit, verdict]).toEqual([0, "IDENTICAL"]);
  });

  it("is looked at step by step by name, and without git if the code is still that of the record", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    const again = await reproduced(project, "fit");
    expect([again.exit, verdictsOf(again)]).toEqual([0, ["fit IDENTICAL"]]);
    project.edit("fit.py", "slope * float", "2 * slope * float");
    const changed = await reproduced(project, "last/fit");
    expect([changed.exit, changed.steps[0]?.reason]).toEqual([
      4,
      expect.stringContaining("its code could not be brought back: fit.py"),
    ]);
    expect((await project.mlpipe("reproduce", "fitt")).stderr).toContain("MLP5001");
  });

  it("goes for children of a fan-out too", async () => {
    using project = new Project({
      "steps.ts": `import { data, many } from "mlpipe";
import { z } from "zod";
export const list = data("list", { outputs: { items: z.array(z.string()) }, run: async () => ({ items: ["a", "b"] }) });
export const letter = data("letter", { inputs: { item: z.string() }, outputs: { up: z.string() },
  run: async ({ item }) => ({ up: item.toUpperCase() }) });
export const joined = data("joined", { inputs: { all: many(z.string()) }, outputs: { text: z.string() },
  run: async ({ all }) => ({ text: JSON.stringify(Object.entries(all)) }) });
`,
      "fan.pipeline.ts": `import { each, pipeline } from "mlpipe";
import { z } from "zod";
import { joined, letter, list } from "./steps.ts";
export default pipeline("fan", z.object({}), () => {
  const { items } = list({});
  const ups = each(items, (item) => item, (item) => letter({ item }).up);
  return { text: joined({ all: ups }).text };
});
`,
    });
    await project.run();
    const again = await reproduced(project, "last");
    expect([again.exit, verdictsOf(again)]).toEqual([
      0,
      ["list IDENTICAL", "letter[a] IDENTICAL", "letter[b] IDENTICAL", "joined IDENTICAL"],
    ]);
  });
});

describe("what is not", () => {
  it("because of a clock, is non-deterministic, and the line is named", async () => {
    using project = new Project(
      one(`export const make = data("make", { inputs: { by: z.number() }, outputs: { at: file("txt") },
  run: async (_, out) => out.at.write("made at " + process.hrtime.bigint() + Date.now()) });`),
    );
    // A training without a seed is a matter of its own.
    project.write({
      "other.ts": `import { model, train } from "mlpipe";
export const fit = train("fit", { outputs: { model: model("txt") }, run: async (_, out) => out.model.write("the same") });
`,
    });
    project.edit(
      "one.pipeline.ts",
      "import * as steps",
      'import { fit } from "./other.ts";\nimport * as steps',
    );
    project.edit(
      "one.pipeline.ts",
      "({ ...steps.make({ by: p.by }) })",
      "({ ...steps.make({ by: p.by }), ...fit({}) })",
    );
    await project.run();
    const again = await reproduced(project, "last");
    expect([again.exit, again.verdict, again.steps[0]?.cause]).toEqual([3, "DIVERGED", "non-deterministic"]);
    expect(again.steps[0]?.suspects.join("\n")).toMatch(
      /^Date\.now\(\) is reached by make: .*\(steps\.ts:4\)$/,
    );
    expect(again.steps.map(({ suspects }) => suspects.length)).toEqual([1, 0]);
    expect(again.steps[0]?.determinism).toEqual({ samples: 3, distinct: 3 });
    const { stdout } = await project.mlpipe("reproduce", "make");
    expect(stdout).toMatch(/make {2}DIVERGED {2}at: the bytes differ from \d+ on/);
    expect(stdout).toContain("make  non-deterministic: it made another result each time it was executed now");
  });

  it("because of a seed that nobody set, is non-deterministic, and the script is named", async () => {
    using project = new Project({
      "fit.py": "import random, sys\nopen(sys.argv[1], 'w').write(str(random.random()))\n",
      "steps.ts": `import { cmd, model, train } from "mlpipe";
import { z } from "zod";
export const make = train("make", { inputs: { by: z.number() }, outputs: { model: model("txt") },
  command: (i, o) => cmd\`python3 fit.py \${o.model}\` });
`,
      "one.pipeline.ts": one("")["one.pipeline.ts"] ?? "",
    });
    await project.run();
    const again = await reproduced(project, "last");
    expect([again.exit, again.steps[0]?.cause]).toEqual([3, "non-deterministic"]);
    expect(again.steps[0]?.suspects).toEqual(
      expect.arrayContaining([
        "no port of it is a seed()",
        "fit.py uses randomness, and nothing there sets a seed",
      ]),
    );
  });

  it("because of another version of a package, says which; --strict-env executes nothing", async () => {
    const version = (number: string, factor: number): Readonly<Record<string, string>> => ({
      "node_modules/times/package.json": JSON.stringify({
        name: "times",
        version: number,
        type: "module",
        exports: "./index.js",
      }),
      "node_modules/times/index.js": `export const times = (x) => x * ${factor};\n`,
    });
    using project = new Project({
      ...one(`import { times } from "times";
export const make = data("make", { inputs: { by: z.number() }, outputs: { made: z.number() }, run: async ({ by }) => ({ made: times(by) }) });`),
      ...version("1.0.0", 2),
      "node_modules/times/index.d.ts": "export declare const times: (x: number) => number;\n",
    });
    committed(project);
    await project.run();
    project.write(version("2.0.0", 3));
    const again = await reproduced(project, "last");
    expect([again.exit, again.steps[0]?.verdict, again.steps[0]?.cause]).toEqual([
      3,
      "DIVERGED",
      "environment",
    ]);
    expect(again.steps[0]?.reason).toMatch(/package times 1\.0\.0\+[0-9a-f]+ → 2\.0\.0/);
    const strict = await reproduced(project, "last", "--strict-env");
    expect([strict.exit, strict.steps[0]?.verdict, strict.steps[0]?.reason]).toEqual([
      3,
      "NOT_RERUN",
      expect.stringContaining("package times 1.0.0"),
    ]);
  });

  it("because of an input that nobody declared, says so: outside of the project, or in what git ignores", async () => {
    const reading = (path: string): string => `import { readFileSync } from "node:fs";
export const make = data("make", { inputs: { by: z.number() }, outputs: { made: z.number() },
  run: async ({ by }) => ({ made: by * Number(readFileSync(${JSON.stringify(path)}, "utf8")) }) });`;
    using outside = new Project({ "rate.txt": "2" });
    using project = new Project(one(reading(join(outside.root, "rate.txt"))));
    committed(project);
    await project.run();
    outside.write({ "rate.txt": "3" });
    const again = await reproduced(project, "last");
    expect([again.exit, again.steps[0]?.verdict, again.steps[0]?.cause]).toEqual([
      3,
      "DIVERGED",
      "undeclared-input",
    ]);
    expect(again.steps[0]?.suspects.join("\n")).toContain("rate.txt");

    using inside = new Project({ ...one(reading("ignored/rate.txt")), "ignored/rate.txt": "2" });
    committed(inside);
    await inside.run();
    const missing = await reproduced(inside, "last");
    expect([missing.exit, missing.steps[0]?.verdict, missing.steps[0]?.cause]).toEqual([
      3,
      "DIVERGED",
      "undeclared-input",
    ]);
    expect(missing.steps[0]?.reason).toContain("ignored/rate.txt");
  });

  it("but says the same, is equivalent, or within a tolerance, and no failure", async () => {
    using project = new Project(
      one(`export const make = data("make", { inputs: { by: z.number() }, outputs: { order: file("json"), noise: file("json") },
  async run({ by }, out) {
    const odd = process.pid;
    await out.order.write(odd + 0 > 0 ? JSON.stringify({ a: 1, b: by }, null, odd % 7) + " ".repeat(odd % 11) : "");
    await out.noise.write(JSON.stringify([1 + odd * 1e-13, by]));
  } });`),
    );
    await project.run();
    const again = await reproduced(project, "last", "--tolerance", "1e-6");
    expect([again.exit, again.verdict]).toEqual([0, "WITHIN_TOLERANCE"]);
    const outputs = again.steps[0]?.outputs;
    expect(["EQUIVALENT", "IDENTICAL"]).toContain(outputs?.["order"]?.verdict);
    expect(outputs?.["noise"]?.detail).toMatch(
      /^1 of 2 numbers differ, by \d\.\de-\d+ of their size at most$/,
    );
    expect((await reproduced(project, "last")).exit).toBe(3);
  });

  it("with --cascade is followed to what comes after it", async () => {
    using project = new Project({
      "steps.ts": `import { data } from "mlpipe";
import { z } from "zod";
export const first = data("first", { outputs: { at: z.number() }, run: async () => ({ at: process.pid }) });
export const second = data("second", { inputs: { at: z.number() }, outputs: { twice: z.number() }, run: async ({ at }) => ({ twice: 2 * at }) });
`,
      "two.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { first, second } from "./steps.ts";
export default pipeline("two", z.object({}), () => ({ ...second({ at: first({}).at }) }));
`,
    });
    await project.run();
    expect(verdictsOf(await reproduced(project, "last"))).toEqual(["first DIVERGED", "second IDENTICAL"]);
    const cascade = await reproduced(project, "last", "--cascade");
    expect(cascade.steps.map(({ verdict, cause }) => [verdict, cause])).toEqual([
      ["DIVERGED", "non-deterministic"],
      ["DIVERGED", "upstream"],
    ]);
  });
});

it("varies what it is told to", async () => {
  using project = new Project({
    "tz.py": "import os, sys, time\nopen(sys.argv[1], 'w').write(time.strftime('%H', time.localtime(0)))\n",
    "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
export const make = data("make", { inputs: { by: z.number() }, outputs: { hour: file("txt") },
  command: (i, o) => cmd\`python3 tz.py \${o.hour}\` });
`,
    "one.pipeline.ts": one("")["one.pipeline.ts"] ?? "",
  });
  await project.run();
  expect((await reproduced(project, "last")).verdict).toBe("IDENTICAL");
  const varied = await reproduced(project, "last", "--vary", "tz,umask");
  expect([varied.exit, varied.steps[0]?.reason]).toEqual([3, expect.stringContaining("tz and umask varied")]);
  expect((await project.mlpipe("reproduce", "last", "--vary", "moon")).exit).toBe(2);
});

it("takes a source from where it lies if it is what was recorded, from the store if a copy was kept, or not at all", async () => {
  const withSource = (keep: string): Readonly<Record<string, string>> => ({
    "data.txt": "one\n",
    "steps.ts": `import { data, file } from "mlpipe";
import { z } from "zod";
export const make = data("make", { inputs: { from: file("txt") }, outputs: { size: z.int() },
  run: async ({ from }) => ({ size: (await from.text()).length }) });
`,
    "one.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { make } from "./steps.ts";
export default pipeline("one", z.object({}), () => ({ ...make({ from: source("data.txt", file("txt")${keep}) }) }));
`,
  });
  using project = new Project(withSource(""));
  await project.run();
  expect((await reproduced(project, "last")).verdict).toBe("IDENTICAL");
  writeFileSync(join(project.root, "data.txt"), "one two\n");
  const gone = await reproduced(project, "last");
  expect([gone.exit, gone.verdict, gone.steps[0]?.reason]).toEqual([
    4,
    "NOT_RERUN",
    expect.stringContaining("data.txt has other content now"),
  ]);

  using copied = new Project(withSource(', { keep: "copy" }'));
  await copied.run();
  writeFileSync(join(copied.root, "data.txt"), "one two\n");
  expect((await reproduced(copied, "last")).verdict).toBe("IDENTICAL");
});
