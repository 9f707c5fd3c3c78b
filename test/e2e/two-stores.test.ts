/** One project and two stores, its own and one elsewhere: neither ever uses a place of the other's. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { finished, Project, type Finished } from "./project.ts";
import { until } from "../faults/processes.ts";
import { scripts } from "../faults/scripts.ts";

let elsewhere: string;
beforeEach(() => {
  elsewhere = join(realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-two-"))), "store");
});
afterEach(() => {
  rmSync(join(elsewhere, ".."), { recursive: true, force: true });
});

/** Writes to its output before and after it is let go. */
const waiting = scripts({
  fit: {
    py: `open(sys.argv[1], "a").write("begun\\n")
open("up-" + str(os.getpid()) + ".mark", "w").close()
while not os.path.exists("go.mark"): time.sleep(0.02)
open(sys.argv[1], "a").write("ended\\n")`,
  },
});

const begun = (project: Project): number =>
  readdirSync(project.root).filter((name) => name.startsWith("up-")).length;
const withStore = async (project: Project, ...args: readonly string[]): Promise<Finished> =>
  finished(project.start(args, { MLPIPE_STORE: elsewhere }));
const attempts = (project: Project): string => join(project.root, ".mlpipe/attempts");
const left = (project: Project): readonly string[] => readdirSync(attempts(project));

describe("a project that has used a store elsewhere", () => {
  it("does without it when it is gone, whichever link to it is left", async () => {
    using project = new Project({ ...waiting, "go.mark": "" });
    const used = await withStore(project, "run");
    expect(used.exit, used.stderr).toBe(0);
    expect(lstatSync(attempts(project)).isDirectory()).toBe(true);
    expect(left(project)).toEqual([]);
    rmSync(elsewhere, { recursive: true });
    expect(await project.statuses()).toEqual({ ran: ["fit"] });
    // Versions before this one put the link in place of the whole folder.
    const commands = [["verify"], ["gc"], ["verify", "--repair"], ["run", "--force", "fit"]];
    for (const command of commands) {
      rmSync(attempts(project), { recursive: true });
      symlinkSync(join(elsewhere, "attempts"), attempts(project));
      const done = await project.mlpipe(...command);
      expect([done.exit, command, done.stderr]).toEqual([0, command, expect.not.stringContaining("MLP")]);
      // What only looks changes nothing.
      expect(lstatSync(attempts(project)).isDirectory()).toBe(command !== commands[0]);
    }
  });

  it("runs the same step on both at once, and gc of the one leaves the other alone", async () => {
    using project = new Project(waiting);
    const outside = finished(project.start(["run"], { MLPIPE_STORE: elsewhere }));
    await until(() => begun(project) === 1);
    const linked = left(project);
    expect(linked).toEqual(readdirSync(join(elsewhere, "attempts")));
    // What was left by a run elsewhere that was killed, in a store that is no more.
    symlinkSync(join(elsewhere, "no-more"), join(attempts(project), "fit-0123456789abcdef"));
    const own = finished(project.start(["run"]));
    await until(() => begun(project) === 2);
    for (const gc of [await project.mlpipe("gc"), await withStore(project, "gc")])
      expect(gc.exit, gc.stderr).toBe(0);
    expect(left(project)).toEqual(expect.arrayContaining([...linked]));
    expect(left(project)).not.toContain("fit-0123456789abcdef");
    project.write({ "go.mark": "" });
    for (const run of [await outside, await own]) expect(run.exit, run.stderr).toBe(0);
    expect(project.read("artifacts/work/fit.txt")).toBe("begun\nended\n");
    expect([left(project), readdirSync(join(elsewhere, "attempts"))]).toEqual([[], []]);
  });

  it("keeps what another store's folder holds when the link to it is replaced", async () => {
    using project = new Project({ ...waiting, "go.mark": "" });
    mkdirSync(join(elsewhere, "attempts/fit-0123456789abcdef"), { recursive: true });
    mkdirSync(join(project.root, ".mlpipe"));
    symlinkSync(join(elsewhere, "attempts"), attempts(project));
    expect(await project.statuses()).toEqual({ ran: ["fit"] });
    expect((await project.mlpipe("gc")).exit).toBe(0);
    expect(existsSync(join(elsewhere, "attempts/fit-0123456789abcdef"))).toBe(true);
  });
});
