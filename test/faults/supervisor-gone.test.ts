/** When the supervisor alone is killed, its run goes on to be one: nobody takes over what its mlpipe is still at work on. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Finished, finished, Project, type RunJson } from "../e2e/project.ts";
import { killSupervisor, supervisorsIn, survivorsIn, until } from "./processes.ts";
import { scripts, untilGo, write } from "./scripts.ts";

const steps = scripts({
  first: { py: write },
  second: {
    needs: "first",
    py: `open("up.mark", "a").write(f"{os.getpid()}\\n")\n${untilGo}open(out, "w").write(open(before).read() + " twice")`,
  },
});

describe.skipIf(process.platform !== "linux")("a supervisor that was killed with -9", () => {
  it("while its mlpipe has no time to notice: another run waits for the key, and then has its folder for itself", async () => {
    using project = new Project(steps);
    const ups = (): number =>
      existsSync(join(project.root, "up.mark")) ? project.read("up.mark").trim().split("\n").length : 0;
    const one = project.start(["run"]);
    const oneEnded = finished(one);
    await until(() => ups() === 1);
    one.kill("SIGSTOP");
    killSupervisor(project.root);

    const other = project.start(["run", "--json"]);
    const otherEnded = finished(other);
    await pause(2_500);
    expect(ups()).toBe(1);

    one.kill("SIGCONT");
    const { exit, stderr } = await oneEnded;
    expect(exit).toBe(1);
    expect(stderr).toContain("The supervisor of the run is not there");
    await until(() => ups() === 2);
    project.write({ "go.mark": "" });
    const { exit: otherExit, stdout } = await otherEnded;
    expect(otherExit, stdout).toBe(0);
    expect(project.read("artifacts/work/second.txt")).toBe("done twice");
    expect(await survivorsIn(project.root)).toEqual([]);
    expect((await project.mlpipe("verify")).exit).toBe(0);
  });

  it("with --keep-going: the run is over at once, says so once, and what had not begun is no failure", async () => {
    const wait = `open(f"up-{os.getpid()}.mark", "w")\n${untilGo}${write}`;
    using project = new Project(
      scripts({
        // Where there are secrets, what is said goes another way.
        done: { py: write, env: '[secret("TOKEN")]' },
        one: { needs: "done", py: wait },
        two: { needs: "done", py: wait },
        ...Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`later${n}`, { needs: "done", py: write }])),
        after: { needs: "one", py: write },
      }),
    );
    const isUp = (): boolean =>
      readdirSync(project.root).filter((name) => name.startsWith("up-")).length === 2;
    const ended = finished(
      project.start(["run", "--keep-going", "--jobs", "2", "--json"], { TOKEN: "a secret" }),
    );
    await until(isUp);
    killSupervisor(project.root);
    const { run, status, error, steps: outcomes, exit, stderr } = jsonOf(await ended);
    expect(exit, stderr).toBe(1);
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code: "MLP3036", hint: expect.stringContaining("Run again") });
    expect(stderr.match(/^MLP3036 .*$/gm)).toEqual([
      "MLP3036  The supervisor of the run is not there: it has gone.",
    ]);
    // Those that were at work were ended, and the others have not begun.
    const notStarted = "not started: the supervisor of the run has gone";
    expect(
      outcomes.map(({ id, status: each, error: why, reasons }) => [
        id,
        each,
        why?.code ?? reasons[0]?.message,
      ]),
    ).toEqual([
      ["done", "ran", expect.any(String)],
      ["one", "failed", "MLP3036"],
      ["two", "failed", "MLP3036"],
      ...[1, 2, 3, 4, 5].map((n) => [`later${n}`, "cancelled", notStarted]),
      ["after", "blocked", "one failed"],
    ]);
    expect(await survivorsIn(project.root)).toEqual([]);
    const shown = JSON.parse((await project.mlpipe("show", run, "--json")).stdout) as {
      run: { status: string };
      stepRuns: readonly { step: { id: string } }[];
    };
    expect(shown.run.status).toBe("failed");
    expect(shown.stepRuns.map(({ step }) => step.id).toSorted()).toEqual(["done", "one", "two"]);

    project.write({ "go.mark": "" });
    const again = jsonOf(await finished(project.start(["run", "--json"], { TOKEN: "a secret" })));
    expect(again.exit).toBe(0);
    expect(again.steps.filter((step) => step.status === "cached").map(({ id }) => id)).toEqual(["done"]);
    expect((await project.mlpipe("verify")).exit).toBe(0);
  });

  it("while nothing of its run is at work: no step has failed, and something that is needed is missing", async () => {
    using project = new Project(steps);
    const one = finished(project.start(["run"]));
    await until(() => existsSync(join(project.root, "up.mark")));
    const first = supervisorsIn(project.root);
    // Waits for the key that the other has.
    const other = finished(project.start(["run", "--json"]));
    await until(() => begunRuns(project) === 2);
    killSupervisor(project.root, first);
    const { exit, status, error, steps: outcomes, stderr } = jsonOf(await other);
    expect(exit, stderr).toBe(4);
    expect(status).toBe("failed");
    expect(error?.code).toBe("MLP3036");
    expect(stderr).toContain("MLP3036");
    expect(outcomes.map((step) => [step.id, step.status])).toEqual([
      ["first", "cached"],
      ["second", "cancelled"],
    ]);
    // The other run is not concerned.
    project.write({ "go.mark": "" });
    expect((await one).exit).toBe(0);
    expect(await project.statuses()).toEqual({ cached: ["first", "second"] });
  });

  it("while kept results are compared: that is no verdict on them", async () => {
    using project = new Project(steps);
    project.write({ "go.mark": "" });
    expect((await project.run()).exit).toBe(0);
    rmSync(join(project.root, "go.mark"));
    rmSync(join(project.root, "up.mark"));
    const ended = finished(project.start(["run", "--check", "--json"]));
    await until(() => existsSync(join(project.root, "up.mark")));
    killSupervisor(project.root);
    const { exit, status, error, steps: outcomes } = jsonOf(await ended);
    expect(exit).toBe(4);
    expect([status, error?.code]).toEqual(["failed", "MLP3036"]);
    expect(outcomes.map((step) => step.status)).toEqual(["cached", "cached"]);
    expect(outcomes.flatMap(({ check }) => check ?? []).filter(({ same }) => !same)).toEqual([]);
    expect(outcomes.at(-1)?.check).toBeUndefined();
  });

  it("among short steps, some of which are made ready ahead: those that began are told apart from those that did not", async () => {
    const count = 60;
    using project = new Project({
      "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
export const short = data("short", {
  inputs: { n: z.int() },
  outputs: { out: file("txt") },
  command: (i, o) => cmd\`python3 short.py \${i.n} \${o.out}\`,
});
`,
      "short.py": `import sys\nn, out = sys.argv[1:]\nopen(f"began-{n}", "a").write("x")\nopen(out, "w").write(n)\n`,
      "short.pipeline.ts": `import { pipeline } from "mlpipe";
import { z } from "zod";
import { short } from "./steps.ts";
export default pipeline("short", z.object({}), () => {
  for (let n = 0; n < ${count}; n++) short.as(\`short-\${n}\`)({ n });
  return {};
});
`,
    });
    const begun = (): readonly string[] =>
      readdirSync(project.root).filter((name) => name.startsWith("began-"));
    const ended = finished(project.start(["run", "--keep-going", "--jobs", "2", "--json"]));
    await until(() => begun().length > count / 3);
    killSupervisor(project.root);
    const { steps: outcomes, exit, error, stderr } = jsonOf(await ended);
    expect([1, 4], stderr).toContain(exit);
    expect(error?.code).toBe("MLP3036");
    const of = (wanted: string): readonly string[] =>
      outcomes.flatMap(({ id, status }) => (status === wanted ? [id.replace("short-", "began-")] : []));
    expect(of("failed").length).toBeLessThanOrEqual(2);
    expect(exit).toBe(of("failed").length > 0 ? 1 : 4);
    expect(of("ran").length + of("failed").length + of("cancelled").length).toBe(count);
    expect(of("ran").filter((name) => !begun().includes(name))).toEqual([]);
    expect(await survivorsIn(project.root)).toEqual([]);
    expect((await project.run()).exit).toBe(0);
    // What was kept was not made twice.
    for (const name of of("ran")) expect(project.read(name), name).toBe("x");
    expect((await project.mlpipe("verify")).exit).toBe(0);
  });
});

/** How many runs have written that they have begun, which they do when their supervisors are ready. */
function begunRuns({ root }: Project): number {
  const runs = join(root, ".mlpipe/runs");
  return readdirSync(runs).filter((run) => existsSync(join(runs, run, "records.jsonl"))).length;
}

function jsonOf(done: Finished): RunJson & Finished {
  // The shape is asserted by the tests that use it.
  return { ...(JSON.parse(done.stdout) as RunJson), ...done };
}
