/** `mlpipe.lock`: what a whole run writes beside the pipeline, what leaves it alone, and what CI makes of it. */
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { removeAll } from "@mlpipe/store";
import { afterEach, describe, expect, it } from "vitest";
import { finished, Project, type RunJson } from "./project.ts";
import { smallPipeline } from "./small-pipeline.ts";

interface LockJson extends RunJson {
  readonly lock?: {
    readonly path: string;
    readonly written: boolean;
    readonly changes: readonly { readonly message: string }[];
    readonly remarks: readonly string[];
  };
}

const lockOf = (project: Project): string => project.read("mlpipe.lock");

/** The lines that are in one text and not in the other. */
function newLines(before: string, after: string): readonly string[] {
  const known = new Set(before.split("\n"));
  return after.split("\n").filter((line) => !known.has(line));
}

describe("mlpipe.lock", () => {
  it("is written by the first run, sorted, a fact a line, without a path, a time or an id of a run", async () => {
    using project = new Project(smallPipeline);
    const { stdout } = await project.mlpipe("run");
    expect(stdout).toContain("mlpipe.lock was updated");
    const lock = lockOf(project);
    expect(lock).toMatch(/^\[line\.score\]\ncode = "[0-9a-f]{12}"\nkey = "[0-9a-f]{64}"\nmetric\.mae = 0\n/m);
    expect(lock).toContain('\ninput.seed = "1"\n');
    expect(lock).toMatch(/^output\.model = "file [0-9a-f]{64} \d+"$/m);
    expect(lock).not.toContain(project.root);
    expect(lock).not.toMatch(/\d{4}-\d\d-\d\d|[0-9a-f]{8}-[0-9a-f]{4}-7/);
    expect(lock.match(/^\[.*\]$/gm)).toEqual([
      "[line]",
      ...["fit", "good-enough", "publish", "score", "split"].map((step) => `[line.${step}]`),
    ]);
  });

  it("is not touched by runs that change nothing, by experiments, by parts of a pipeline, by failures", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    const [lock, { mtimeNs }] = [
      lockOf(project),
      statSync(join(project.root, "mlpipe.lock"), { bigint: true }),
    ];
    const untouched = (): void => {
      expect(lockOf(project)).toBe(lock);
      expect(statSync(join(project.root, "mlpipe.lock"), { bigint: true }).mtimeNs).toBe(mtimeNs);
    };
    await project.run();
    untouched();
    await project.run("-s", "shrink=0.9");
    untouched();
    await project.run("--force");
    untouched();
    project.edit("late.ts", "x >= from", "x > from");
    await project.run("--only", "split");
    untouched();
    expect((await project.run("-s", "limit=-1")).status).toBe("rejected");
    untouched();
    // The default, said aloud, is the default.
    await project.run("-s", "shrink=1");
    expect(lockOf(project)).not.toBe(lock);
  });

  it("shows an edit where it was made, and what came of it", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    const before = lockOf(project);
    project.edit("line.pipeline.ts", "shrink: z.number().default(1)", "shrink: z.number().default(0.5)");
    project.edit("line.pipeline.ts", "limit: z.number().default(1)", "limit: z.number().default(9)");
    await project.run();
    const changed = newLines(before, lockOf(project)).map((line) => line.replace(/ = .*/, ""));
    // The pipeline's module says what is wired, and is no code of a step. The key of score is its own, and did not change.
    expect(changed.toSorted()).toEqual(
      [
        "input.limit",
        "input.shrink",
        "key",
        "key",
        "metric.mae",
        "output.metrics",
        "output.model",
        "output.model",
      ].toSorted(),
    );
  });

  it("has a table for each pipeline of its folder, and drops those whose files are gone", async () => {
    using project = new Project(smallPipeline);
    const other = project.read("line.pipeline.ts").replace('pipeline("line"', 'pipeline("other"');
    project.write({ "other.pipeline.ts": other });
    await project.run("line");
    const one = lockOf(project);
    await project.run("other");
    expect(lockOf(project).startsWith(one)).toBe(true);
    expect(lockOf(project)).toContain("[other.fit]");
    rmSync(join(project.root, "other.pipeline.ts"));
    project.edit("late.ts", "x >= from", "x > from - 1");
    await project.run("line");
    expect(lockOf(project)).not.toContain("other");
  });

  it("tells of another file that defines a pipeline with the same name", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    const other = project
      .read("line.pipeline.ts")
      .replace("limit: z.number().default(1)", "limit: z.number().default(9)");
    project.write({ "copy.pipeline.ts": other });
    const second = await project.mlpipe("run", "copy.pipeline.ts");
    expect([second.exit, second.stderr]).toEqual([
      0,
      expect.stringContaining('copy.pipeline.ts and line.pipeline.ts both define a pipeline "line"'),
    ]);
    rmSync(join(project.root, "line.pipeline.ts"));
    const alone = await project.mlpipe("run");
    expect([alone.exit, alone.stderr]).toEqual([0, expect.not.stringContaining("both define")]);
  });

  it("says what a step made, whichever of its tables somebody wrote over", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    const lock = lockOf(project);
    const table = /^\[line\.fit\]\n(?:.+\n)+/m.exec(lock)?.[0] ?? "";
    const [header = "", code = ""] = table.split("\n");
    const edits: Readonly<Record<string, string>> = {
      "another key": table.replace(/^key = .*$/m, `key = "${"0".repeat(64)}"`),
      "one line less": table.replace(`${code}\n`, ""),
      nothing: "",
      "another step beside it": `${table}\n${table.replace(header, "[line.other]")}`,
      "what is no line of it": `${table}x\n`,
    };
    for (const [edit, text] of Object.entries(edits)) {
      project.write({ "mlpipe.lock": lock.replace(table, text) });
      await project.run();
      expect([edit, lockOf(project)]).toEqual([edit, lock]);
    }
  });

  it("is left as somebody wrote it if it says the same in other words", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    const lock = lockOf(project);
    for (const other of [
      lock.replaceAll("\n", "\r\n"),
      lock.replace(/^(code = .*\n)(.*\n)*?(key = .*\n)/m, "$3$1"),
      `${lock}\n# A remark.\n`,
    ]) {
      expect(other).not.toBe(lock);
      project.write({ "mlpipe.lock": other });
      await project.run();
      expect(lockOf(project)).toBe(other);
    }
  });

  it("that a merge has torn in another pipeline's part is written anew too", async () => {
    using project = new Project(smallPipeline);
    const other = project.read("line.pipeline.ts").replace('pipeline("line"', 'pipeline("other"');
    project.write({ "other.pipeline.ts": other });
    await project.run("line");
    const one = lockOf(project);
    await project.run("other");
    project.write({ "mlpipe.lock": lockOf(project).replace("[other.fit]", "<<<<<<< ours\n[other.fit]") });
    await project.run("line");
    expect(lockOf(project)).toBe(one);
  });

  it("that a merge has torn is named, and written anew", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    const lock = lockOf(project);
    project.write({ "mlpipe.lock": lock.replace("[line.fit]", "<<<<<<< ours\n[line.fit]\n=======") });
    const { exit, stderr } = await project.mlpipe("run", "--frozen");
    expect([exit, stderr]).toEqual([
      3,
      expect.stringMatching(/MLP6018 {2}.*mlpipe\.lock:\d+: a merge left its conflict/),
    ]);
    await project.run();
    expect(lockOf(project)).toBe(lock);
  });
});

describe("mlpipe.lock, after edits", () => {
  const steps = `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
export const first = data("first", {
  inputs: { from: file("txt"), number: z.int() },
  outputs: { to: file("txt") },
  command: (i, o) => cmd\`dd bs=1 count=1 if=\${i.from} of=\${o.to}\`,
});
export const both = data("both", {
  inputs: { one: file("txt"), other: file("txt"), number: z.int() },
  outputs: { to: file("txt") },
  command: (i, o) => cmd\`sort -o \${o.to} \${i.one} \${i.other}\`,
});
`;
  const wide: Readonly<Record<string, string>> = {
    "steps.ts": steps,
    "a.txt": "a1",
    "b.txt": "b1",
    "c.txt": "a1",
    "wide.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { both, first } from "./steps.ts";
export default pipeline("wide", z.object({ last: z.int().default(9) }), ({ last }) => {
  const a = first.as("a")({ from: source("a.txt", file("txt")), number: 1 });
  const b = first.as("b")({ from: source("b.txt", file("txt")), number: 2 });
  const c = first.as("c")({ from: source("c.txt", file("txt")), number: 3 });
  const ab = both.as("ab")({ one: a.to, other: b.to, number: 4 });
  const bc = both.as("bc")({ one: b.to, other: c.to, number: 5 });
  return both.as("all")({ one: ab.to, other: bc.to, number: last });
});
`,
  };

  it("follows a change of the wiring after which nothing has to run", async () => {
    using project = new Project(wide);
    await project.run();
    const before = lockOf(project);
    project.edit("wide.pipeline.ts", "one: a.to, other: b.to", "one: c.to, other: b.to");
    const { steps: found, exit } = await project.run();
    expect([exit, found.filter(({ status }) => status !== "cached")]).toEqual([0, []]);
    expect(newLines(before, lockOf(project))).toEqual([expect.stringMatching(/^key = /)]);
    expect((await project.mlpipe("run", "--frozen")).exit).toBe(0);
  });

  it("says after each what a comparison of all of it would have said", { timeout: 120_000 }, async () => {
    using project = new Project(wide);
    using twin = new Project(wide);
    const edits: readonly (readonly [path: string, from: string, to: string])[] = [
      ["a.txt", "a1", "x1"],
      // Early cutoff: what is made of it is as before.
      ["b.txt", "b1", "b2"],
      ["c.txt", "a1", "c1"],
      ["steps.ts", "sort -o", "sort -u -o"],
      ["wide.pipeline.ts", "default(9)", "default(10)"],
      ["wide.pipeline.ts", "one: a.to, other: b.to", "one: c.to, other: b.to"],
      ["wide.pipeline.ts", "other: bc.to, number: last", "other: ab.to, number: last"],
      ["a.txt", "x1", "x2"],
      ["b.txt", "b2", "y2"],
      ["wide.pipeline.ts", 'const ab = both.as("ab")', 'const ab = both.as("cb")'],
      ["c.txt", "c1", "d1"],
    ];
    await Promise.all([project.run(), twin.run()]);
    for (const [path, from, to] of edits) {
      project.edit(path, from, to);
      twin.edit(path, from, to);
      // Of a lock that has words of somebody else, all is read.
      twin.write({ "mlpipe.lock": lockOf(twin).replace("version = 1\n", "version = 1\n# By hand.\n") });
      const [ours, whole] = await Promise.all([project.run(), twin.run()]);
      expect([ours.exit, lockOf(project)]).toEqual([0, lockOf(twin)]);
      expect((ours as LockJson).lock).toEqual((whole as LockJson).lock);
    }
    expect((await project.mlpipe("run", "--frozen", "--strict-env")).exit).toBe(0);
  });
});

describe("run --frozen", () => {
  it("passes where nothing changed, in a clone without any results too", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    expect((await project.run("--frozen")).exit).toBe(0);
    removeAll(join(project.root, ".mlpipe"));
    const lock = lockOf(project);
    const anew = await project.run("--frozen");
    expect([anew.exit, anew.steps.map(({ status }) => status)]).toEqual([
      0,
      ["ran", "ran", "ran", "ran", "ran"],
    ]);
    expect(lockOf(project)).toBe(lock);
  });

  it("fails with 3 and the reasons before anything is executed", async () => {
    using project = new Project(smallPipeline);
    expect((await project.mlpipe("run", "--frozen")).stderr).toContain("there is no mlpipe.lock");
    await project.run();
    project.edit("late.ts", "x >= from", "x > from");
    project.edit("line.pipeline.ts", "seed: z.int().default(1)", "seed: z.int().default(2)");
    project.write({ "data/points.csv": `${project.read("data/points.csv")}7,15\n` });
    const { exit, stderr } = await project.mlpipe("run", "--frozen");
    expect(exit).toBe(3);
    expect(stderr).toContain("code of split changed");
    expect(stderr).toMatch(/input points of split: [0-9a-f]{16} → [0-9a-f]{16}/);
    expect(stderr).toContain("input seed of fit: 1 → 2");
    const runs = JSON.parse((await project.mlpipe("runs", "--json")).stdout) as { runs: unknown[] };
    expect(runs.runs).toHaveLength(1);
  });

  it("is of whole pipelines with default params", async () => {
    using project = new Project(smallPipeline);
    await project.run();
    for (const args of [
      ["--only", "fit"],
      ["-s", "seed=3"],
    ]) {
      const { exit, stderr } = await project.mlpipe("run", "--frozen", ...args);
      expect([exit, stderr]).toEqual([2, expect.stringContaining("MLP6010")]);
    }
    expect((await project.mlpipe("run", "--strict-env")).exit).toBe(2);
  });

  it("compares results of steps that were proven deterministic alone", async () => {
    using project = new Project({
      ...smallPipeline,
      "steps/split.ts":
        smallPipeline["steps/split.ts"]?.replace("rows: all.length", "rows: Date.now()") ?? "",
    });
    await project.run();
    await project.run("--check", "fit");
    expect(lockOf(project)).toMatch(/\[line\.fit\]\ncode = .*\ndeterministic = true\n/);
    expect(lockOf(project).match(/deterministic/g)).toHaveLength(1);
    // The clock in it makes split another one each time; nobody proved that it is not so.
    expect((await project.run("--frozen", "--force")).exit).toBe(0);
    const tampered = lockOf(project).replace(
      /(\[line\.fit\][^[]*output\.model = "file )[0-9a-f]{4}/,
      "$10000",
    );
    project.write({ "mlpipe.lock": tampered });
    const frozen = (await project.run("--frozen")) as LockJson & { readonly exit: number };
    expect([frozen.exit, frozen.status, frozen.lock?.changes.map(({ message }) => message)]).toEqual([
      3,
      "succeeded",
      ["fit made another model of the same"],
    ]);
  });

  it("knows the children of a fan-out once its list is made", async () => {
    using project = new Project({
      "steps.ts": `import { data, many } from "mlpipe";
import { z } from "zod";
export const list = data("list", { outputs: { items: z.array(z.string()) }, run: async () => ({ items: ["a", "b"] }) });
export const letter = data("letter", { inputs: { item: z.string() }, outputs: { up: z.string() },
  run: async ({ item }) => ({ up: item.toUpperCase() }) });
export const joined = data("joined", { inputs: { all: many(z.string()) }, outputs: { text: z.string() },
  run: async ({ all }) => ({ text: Object.values(all).join() }) });
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
    expect(lockOf(project)).toContain('[fan."letter[a]"]');
    expect((await project.run("--frozen")).exit).toBe(0);
    removeAll(join(project.root, ".mlpipe"));
    expect((await project.run("--frozen")).exit).toBe(0);
    project.edit("steps.ts", '["a", "b"]', '["a", "c"]');
    const { exit, stderr } = await project.mlpipe("run", "--frozen");
    expect([exit, stderr]).toEqual([3, expect.stringContaining("code of list changed")]);
  });
});

describe("another environment", () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });
  /** A program outside of the project, of which there may be other builds. */
  function program(): { readonly path: string; build(version: string): void } {
    const folder = mkdtempSync(join(tmpdir(), "mlpipe-tool-"));
    folders.push(folder);
    return {
      path: folder,
      build(version) {
        const file = join(folder, "shout");
        writeFileSync(file, `#!/bin/sh\n# build ${version}\ntr a-z A-Z < "$1" > "$2"\n`);
        chmodSync(file, 0o755);
      },
    };
  }
  const files = {
    "data/words.txt": "one two\n",
    "steps.ts": `import { cmd, data, file } from "mlpipe";
export const shout = data("shout", { inputs: { words: file("txt") }, outputs: { loud: file("txt") },
  command: (i, o) => cmd\`shout \${i.words} \${o.loud}\`, files: [] });
`,
    "loud.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { shout } from "./steps.ts";
export default pipeline("loud", z.object({}), () => ({ loud: shout({ words: source("data/words.txt", file("txt")) }).loud }));
`,
  };

  it("is none of the lock's business but with --strict-env; --from-lock takes what was proven", async () => {
    using project = new Project(files);
    const tool = program();
    tool.build("1");
    const run = async (...args: readonly string[]): Promise<LockJson & { exit: number | null }> => {
      const env = { PATH: `${tool.path}${delimiter}${process.env["PATH"] ?? ""}` };
      const { exit, stdout } = await finished(project.start(["run", "--json", ...args], env));
      return { ...(JSON.parse(stdout) as LockJson), exit };
    };
    const first = await run();
    expect(first.steps[0]?.status).toBe("ran");
    const lock = lockOf(project);
    tool.build("2");
    // Nobody has proven anything yet.
    expect((await run("--from-lock", "--frozen")).steps[0]?.status).toBe("ran");
    tool.build("3");
    const any = await run("--from-lock", "any", "--frozen");
    expect(any.steps[0]).toMatchObject({ status: "cached", stepRun: expect.any(String) as string });
    expect(any.steps[0]?.reasons[0]?.message).toMatch(
      /^taken from mlpipe\.lock, made on .*shout [0-9a-f]{8}; here it would be .*shout [0-9a-f]{8}$/,
    );
    const strict = await run("--frozen", "--strict-env");
    expect(strict.exit).toBe(3);
    expect(lockOf(project)).toBe(lock);

    await run();
    await run("--check");
    expect(lockOf(project)).toContain("deterministic = true");
    tool.build("4");
    const proven = await run("--from-lock");
    expect(proven.steps[0]).toMatchObject({ status: "cached", outputs: first.steps[0]?.outputs });
    // It is no entry of the cache here: without the flag the step is this machine's own.
    expect((await run()).steps[0]?.status).toBe("ran");
    expect(existsSync(join(project.root, "artifacts/loud/loud.txt"))).toBe(true);
  });

  it("without a lock there is nothing to take", async () => {
    using project = new Project(smallPipeline);
    const { exit, stderr } = await project.mlpipe("run", "--from-lock");
    expect([exit, stderr]).toEqual([2, expect.stringContaining("MLP6019")]);
  });
});
