/** mlpipe and its supervisor, killed together: what they left running never reaches a later run, and ends with it. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { processesIn, supervisorIn, survivorsIn, until } from "./processes.ts";
import { scripts } from "./scripts.ts";

/** Appends its number to its output, once before and once after it is let go; and has a daemon. */
const steps = scripts({
  fit: {
    py: `subprocess.Popen(["sleep", "600"], start_new_session=True)
open(sys.argv[1], "a").write("one process\\n")
open("up.mark", "w").close()
while not os.path.exists("go.mark"): time.sleep(0.02)
time.sleep(0.5)
open(sys.argv[1], "a").write("and its end\\n")
time.sleep(0.5)`,
  },
});

/** A run whose step is at work when both are killed. */
async function killBoth(project: Project): Promise<void> {
  const child = project.start(["run"]);
  const ended = finished(child);
  await until(() => existsSync(join(project.root, "up.mark")));
  const supervisor = supervisorIn(project.root);
  if (supervisor === undefined) throw new Error("there is no supervisor");
  // Stopped first: it must not come to clean up between the two.
  process.kill(supervisor, "SIGSTOP");
  child.kill("SIGKILL");
  process.kill(supervisor, "SIGKILL");
  await ended;
  expect(processesIn(project.root).some((line) => line.includes("fit.py"))).toBe(true);
  rmSync(join(project.root, "up.mark"));
}

describe.skipIf(process.platform !== "linux")("what was left running", () => {
  it.each([
    ["nothing", []],
    ["gc", ["gc"]],
    ["verify --repair", ["verify", "--repair"]],
  ] as const)("with %s in between, never writes into the next run's result", async (_name, between) => {
    using project = new Project(steps);
    await killBoth(project);
    const { exit } = between.length === 0 ? { exit: 0 } : await project.mlpipe(...between);
    expect(exit).toBe(0);
    project.write({ "go.mark": "" });
    expect(await project.statuses()).toEqual({ ran: ["fit"] });
    expect(project.read("artifacts/work/fit.txt")).toBe("one process\nand its end\n");
    expect(await survivorsIn(project.root)).toEqual([]);
  });

  it("ends with the next run also if that one's steps have other keys", async () => {
    using project = new Project(steps);
    await killBoth(project);
    project.write({ "go.mark": "" });
    project.edit("fit.py", "0.5", "0.1");
    expect(await project.statuses()).toEqual({ ran: ["fit"] });
    expect(await survivorsIn(project.root)).toEqual([]);
  });

  it("is not mistaken for what another run is at work on", async () => {
    using project = new Project(steps);
    const child = project.start(["run"]);
    const ended = finished(child);
    await until(() => existsSync(join(project.root, "up.mark")));
    expect((await project.mlpipe("gc")).exit).toBe(0);
    project.write({ "go.mark": "" });
    expect((await ended).exit).toBe(0);
  });
});
