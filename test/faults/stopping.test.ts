/** Promise 5: a request to stop reaches the whole tree, which has a grace period; a second one ends it now. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, mlpipe, Project } from "../e2e/project.ts";
import { supervisorIn, survivorsIn, until } from "./processes.ts";
import { scripts } from "./scripts.ts";

/** A step with a child below a shell that does not wait for it, and a daemon; each says what it was told. */
const family = scripts({
  family: {
    py: `told = open("told.txt", "a", buffering=1)
def listen(name):
    def end(signum, _):
        if name == "child": time.sleep(0.5)
        told.write(f"{name} {signal.Signals(signum).name}\\n")
        os._exit(0)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(each, end)
def forked(name, work):
    if os.fork() == 0:
        listen(name)
        work()
def daemon():
    os.setsid()
    open("daemon.mark", "w").close()
    time.sleep(600)
def child():
    open("child.mark", "w").close()
    time.sleep(600)
forked("child", child)
if os.fork() == 0:
    if os.fork() == 0: daemon()
    os._exit(0)
listen("step")
open("step.mark", "w").close()
time.sleep(600)`,
  },
});
const isUp = (project: Project): boolean =>
  ["step", "child", "daemon"].every((name) => existsSync(join(project.root, `${name}.mark`)));

describe("a request to stop", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)(
    "%s reaches the step and its children, not only the first process, and leaves no daemon",
    async (signal, exit) => {
      using project = new Project(family);
      // In a group of its own, as a shell starts it: the terminal sends the signal to all of the group.
      const child = spawn(process.execPath, [mlpipe, "run", "--json"], {
        cwd: project.root,
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      const ended = finished(child);
      await until(() => isUp(project));
      process.kill(-(child.pid ?? 0), signal);
      const done = await ended;
      expect(done.exit).toBe(exit);
      expect(project.read("told.txt").trim().split("\n").toSorted()).toEqual([
        "child SIGTERM",
        "step SIGTERM",
      ]);
      expect(JSON.parse(done.stdout)).toMatchObject({
        status: "cancelled",
        steps: [{ status: "cancelled" }],
      });
      expect(await survivorsIn(project.root, 500)).toEqual([]);
    },
  );

  it("that nobody listens to is followed by the end: after the grace period, or at once when asked again", async () => {
    const deaf = scripts({
      deaf: {
        py: `for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP): signal.signal(each, signal.SIG_IGN)
subprocess.Popen(["sleep", "600"], start_new_session=True)
open("up.mark", "w").close()
time.sleep(600)`,
      },
    });
    using patient = new Project(deaf);
    using pressed = new Project(deaf);
    const children = [patient, pressed].map((project) => project.start(["run"]));
    const ended = children.map((child) => finished(child));
    await until(() => [patient, pressed].every(({ root }) => existsSync(join(root, "up.mark"))));
    const since = performance.now();
    for (const child of children) child.kill("SIGINT");
    await pause(300);
    children[1]?.kill("SIGINT");
    expect((await ended[1])?.exit).toBe(130);
    expect(performance.now() - since).toBeLessThan(3_500);
    expect(await survivorsIn(pressed.root, 500)).toEqual([]);
    expect((await ended[0])?.exit).toBe(130);
    expect(performance.now() - since).toBeGreaterThan(4_500);
    expect(performance.now() - since).toBeLessThan(15_000);
    expect(await survivorsIn(patient.root, 500)).toEqual([]);
  });

  it("now, with a supervisor that does not answer, ends that too: the run was cancelled", async () => {
    using project = new Project(scripts({ slow: { py: `open("up.mark", "w").close()\ntime.sleep(600)` } }));
    const child = project.start(["run", "--json"]);
    const ended = finished(child);
    await until(() => existsSync(join(project.root, "up.mark")));
    const supervisor = supervisorIn(project.root) ?? 0;
    expect(supervisor).toBeGreaterThan(0);
    process.kill(supervisor, "SIGSTOP");
    child.kill("SIGINT");
    await pause(300);
    child.kill("SIGINT");
    const { exit, stdout } = await ended;
    expect(exit).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ status: "cancelled", steps: [{ status: "cancelled" }] });
    expect(await survivorsIn(project.root, 500)).toEqual([]);
  });
});
