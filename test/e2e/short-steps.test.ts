/**
 * Many steps of a few milliseconds, which are made ready before there is a place for them: through the real command
 * line, and as the steps themselves see it.
 */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { survivorsIn } from "../faults/processes.ts";
import { finished, Project, type RunJson } from "./project.ts";

const steps = 80;

/** Each step says who is at work when it begins, and ends in another way if it is told how. */
const script = `mkdir -p running && : > running/$1
echo "$1 $(ls running | wc -l)" >> began.log
if [ -e bad-$1 ]; then rm running/$1; . ./bad-$1; fi
if [ -e none-$1 ]; then rm running/$1; exit 0; fi
if [ -e folder-$1 ]; then rm running/$1; mkdir "$3"; exit 0; fi
n=0; while [ -e slow-$1 ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done
cp "$2" "$3" && rm running/$1
`;

function newProject(): Project {
  return new Project({
    ...Object.fromEntries(Array.from({ length: steps }, (_, n) => [`data/${n}.txt`, `row ${n}\n`])),
    "step.sh": script,
    "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
export const copy = data("copy", {
  inputs: { from: file("txt"), n: z.int() },
  outputs: { to: file("txt") },
  files: ["step.sh"],
  command: (i, o) => cmd\`sh step.sh \${i.n} \${i.from} \${o.to}\`,
});
`,
    "short.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { copy } from "./steps.ts";
export default pipeline("short", z.object({}), () => Object.fromEntries(
  Array.from({ length: ${steps} }, (_, n) => [
    "to-" + n,
    copy.as(\`copy-\${n}\`)({ from: source(\`data/\${n}.txt\`, file("txt")), n }).to,
  ]),
));
`,
  });
}

interface Began {
  readonly step: number;
  /** How many were at work then, this one among them. */
  readonly atWork: number;
}

function began(project: Project): readonly Began[] {
  if (!existsSync(join(project.root, "began.log"))) return [];
  return project
    .read("began.log")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const [step, atWork] = line.split(" ").map(Number);
      return { step: step ?? -1, atWork: atWork ?? -1 };
    });
}

const sorted = (all: readonly Began[]): readonly number[] =>
  all.map(({ step }) => step).toSorted((a, b) => a - b);
const every = Array.from({ length: steps }, (_, n) => n);

function expectWhole(project: Project): void {
  for (const n of every) expect(project.read(`artifacts/short/to-${n}.txt`)).toBe(`row ${n}\n`);
  // Nothing is left of what was made ready.
  expect(readdirSync(join(project.root, ".mlpipe/attempts"))).toEqual([]);
}

it("never more at once than --jobs, each once, and nothing is left of what was made ready", async () => {
  using project = newProject();
  const { exit, stderr } = await project.mlpipe("run", "--jobs", "2");
  expect(exit, stderr).toBe(0);
  expect(sorted(began(project))).toEqual(every);
  expect(Math.max(...began(project).map(({ atWork }) => atWork))).toBe(2);
  expectWhole(project);
  const { stdout } = await project.mlpipe("show", "last", "--json");
  const { stepRuns } = JSON.parse(stdout) as { stepRuns: { startedAt: string; endedAt: string }[] };
  expect(stepRuns).toHaveLength(steps);
  for (const { startedAt, endedAt } of stepRuns)
    expect(Date.parse(endedAt)).toBeGreaterThanOrEqual(Date.parse(startedAt));
});

it("two runs at once execute each key once, and neither waits for the other for ever", async () => {
  using project = newProject();
  const runs = await Promise.all([
    project.mlpipe("run", "--jobs", "2"),
    project.mlpipe("run", "--jobs", "1"),
  ]);
  for (const { exit, stderr } of runs) expect(exit, stderr).toBe(0);
  expect(sorted(began(project))).toEqual(every);
  expectWhole(project);
});

it("a key that another run has keeps no place from other steps, and is waited for at the end", async () => {
  using project = newProject();
  project.write({ "slow-60": "" });
  const first = project.mlpipe("run", "--only", "copy-60");
  while (began(project).length === 0) await pause(20);
  const second = project.mlpipe("run", "--jobs", "2");
  // All others are done while that one is under way.
  while (began(project).length < steps) await pause(20);
  await pause(300);
  rmSync(join(project.root, "slow-60"));
  for (const { exit, stderr } of await Promise.all([first, second])) expect(exit, stderr).toBe(0);
  expect(sorted(began(project))).toEqual(every);
  expectWhole(project);
});

it("steps of one key, and steps that ask for less than a processor, do not wait for each other for ever", async () => {
  using project = newProject();
  project.write({
    "short.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { copy } from "./steps.ts";
const half = { resources: { cpu: 0.5 } };
const input = (n: number) => ({ from: source(\`data/\${n}.txt\`, file("txt")), n });
export default pipeline("short", z.object({}), () => {
  for (let n = 0; n < 50; n++) copy.as(\`half-\${n}\`).with(half)(input(n));
  for (let n = 50; n < ${steps}; n++) {
    copy.as(\`x-\${n}\`)(input(n));
    copy.as(\`y-\${n}\`).with(half)(input(n));
  }
  return {};
});
`,
  });
  const { exit, stderr } = await project.mlpipe("run", "--jobs", "1");
  expect(exit, stderr).toBe(0);
  expect([...new Set(sorted(began(project)))]).toEqual(every);
});

it("behind a long step no key is kept from another run", async () => {
  using project = newProject();
  project.write({ "slow-60": "" });
  const first = project.mlpipe("run", "--jobs", "1");
  while (!began(project).some(({ step }) => step === 60)) await pause(20);
  await pause(1_000);
  const { exit, stderr } = await project.mlpipe("run", "--only", "copy-61", "copy-62");
  expect(exit, stderr).toBe(0);
  // That one is still at work.
  expect(existsSync(join(project.root, "running/60"))).toBe(true);
  rmSync(join(project.root, "slow-60"));
  expect((await first).exit).toBe(0);
  expect(sorted(began(project))).toEqual(every);
});

it("steps that are run again to be compared have their places like all others", async () => {
  using project = newProject();
  expect((await project.mlpipe("run", "--jobs", "2")).exit).toBe(0);
  rmSync(join(project.root, "began.log"));
  for (const n of every.filter((each) => each % 2 === 0))
    project.write({ [`data/${n}.txt`]: `another row ${n}\n` });
  const { exit, stderr } = await project.mlpipe("run", "--jobs", "2", "--check");
  expect(exit, stderr).toBe(0);
  expect(sorted(began(project))).toEqual(every);
  expect(Math.max(...began(project).map(({ atWork }) => atWork))).toBe(2);
});

it("after a failure none that was made ready begins; then, and after kill -9, the next run does what is left", async () => {
  using project = newProject();
  project.write({ "bad-50": "exit 3" });
  const { exit, stdout } = await project.mlpipe("run", "--jobs", "2", "--json");
  expect(exit).toBe(1);
  const after = began(project).map(({ step }) => step);
  // The other place may have been filled once more before the failure was known.
  expect(after.length - 1 - after.indexOf(50)).toBeLessThanOrEqual(3);
  const { steps: outcomes } = JSON.parse(stdout) as RunJson;
  const status = (id: number): string | undefined =>
    outcomes.find((step) => step.id === `copy-${id}`)?.status;
  const expected = (n: number): string => (n === 50 ? "failed" : after.includes(n) ? "ran" : "cancelled");
  expect(every.map((n) => [n, status(n)])).toEqual(every.map((n) => [n, expected(n)]));

  const keepGoing = await project.mlpipe("run", "--jobs", "2", "--keep-going");
  expect(keepGoing.exit).toBe(1);
  expect([...new Set(sorted(began(project)))]).toEqual(every);

  using killed = newProject();
  const child = killed.start(["run", "--jobs", "2"]);
  const gone = finished(child);
  while (began(killed).length < steps / 2) await pause(5);
  child.kill("SIGKILL");
  await gone;
  const { exit: again, stderr } = await killed.mlpipe("run", "--jobs", "2");
  expect(again, stderr).toBe(0);
  for (const n of every) expect(killed.read(`artifacts/short/to-${n}.txt`)).toBe(`row ${n}\n`);
});

const hasNative = process.platform === "linux" && process.getBuiltinModule("node:ffi") !== undefined;

it.runIf(hasNative)(
  "how a step ended, and what it leaves behind, is the same however its process was started",
  async () => {
    const bad = {
      "bad-50": "echo said; echo complained >&2; exit 3",
      "bad-52": "kill -SEGV $$",
      "bad-54": "exit 137",
      "bad-56": 'setsid sleep 600 & echo "$!" > daemon; exit 4',
      "bad-58": "cd / && rmdir no-such-folder",
    };
    const told = async (env: Readonly<Record<string, string>>): Promise<unknown> => {
      using project = newProject();
      project.write(bad);
      const run = await finished(project.start(["run", "--jobs", "2", "--keep-going", "--json"], env));
      expect(run.exit, run.stderr).toBe(1);
      expect(sorted(began(project))).toEqual(every);
      expect(project.read("daemon")).toMatch(/^\d+\n$/);
      expect(await survivorsIn(project.root)).toEqual([]);
      const outcomes = JSON.parse(run.stdout) as RunJson;
      const { stdout: log } = await project.mlpipe("logs", "copy-50");
      return [log, outcomes.steps.map(({ id, status, error }) => [id, status, error?.code, error?.message])];
    };
    const first = await told({});
    expect(first).toEqual(await told({ NODE_OPTIONS: "--no-experimental-ffi" }));
    expect(JSON.stringify(first)).toContain("SIGSEGV");
  },
);

describe("a step that ends well and did not make what it promised", () => {
  const used = `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { copy } from "./steps.ts";
export default pipeline("short", z.object({}), () => {
  for (let n = 0; n < ${steps}; n++) {
    const { to } = copy.as(\`copy-\${n}\`)({ from: source(\`data/\${n}.txt\`, file("txt")), n });
    copy.as(\`use-\${n}\`)({ from: to, n: ${steps} + n });
  }
  return {};
});
`;
  /** What a run says, and what it has recorded, of all that began and did not. */
  const expectTold = async (
    project: Project,
    { steps: outcomes, exit }: Awaited<ReturnType<Project["run"]>>,
  ): Promise<void> => {
    expect(exit).toBe(1);
    const after = new Set(began(project).map(({ step }) => step));
    const expected = (n: number): string =>
      n === 50 ? "failed" : n === steps + 50 ? "blocked" : after.has(n) ? "ran" : "cancelled";
    expect(Object.fromEntries(outcomes.map(({ id, status }) => [id, status]))).toEqual(
      Object.fromEntries(
        every.flatMap((n) => [
          [`copy-${n}`, expected(n)],
          [`use-${n}`, expected(steps + n)],
        ]),
      ),
    );
    const { stdout } = await project.mlpipe("show", "last", "--json");
    const { stepRuns } = JSON.parse(stdout) as { stepRuns: { status: string }[] };
    expect(stepRuns).toHaveLength(after.size);
    expect(stepRuns.filter(({ status }) => status !== "ran")).toHaveLength(1);
  };

  it("and is the only one at work: none that was made ready begins", async () => {
    for (let times = 0; times < 3; times++) {
      using project = newProject();
      project.write({ "short.pipeline.ts": used, "none-50": "" });
      const run = await project.run("--jobs", "1");
      expect(began(project).map(({ step }) => step)).toEqual(every.slice(0, 51));
      await expectTold(project, run);
    }
  });

  it.each(["none", "folder"])(
    "whatever may have begun before that was known (%s), it is told as it was, and what depends on it does not begin",
    async (how) => {
      using project = newProject();
      project.write({ "short.pipeline.ts": used, [`${how}-50`]: "" });
      await expectTold(project, await project.run("--jobs", "2"));
      rmSync(join(project.root, `${how}-50`));
      expect((await project.run("--jobs", "2")).exit).toBe(0);
      const all = [...every, ...every.map((n) => steps + n), 50];
      expect(sorted(began(project))).toEqual(all.toSorted((a, b) => a - b));
    },
  );
});
