/** When the supervisor alone is killed, its run goes on to be one: nobody takes over what its mlpipe is still at work on. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { supervisorIn, survivorsIn, until } from "./processes.ts";
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
    const supervisor = supervisorIn(project.root) ?? 0;
    one.kill("SIGSTOP");
    process.kill(supervisor, "SIGKILL");

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
    expect(await survivorsIn(project.root, 500)).toEqual([]);
    expect((await project.mlpipe("verify")).exit).toBe(0);
  });
});
