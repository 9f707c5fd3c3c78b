/** Promise 7: no lock ever needs a hand to unlock it, and no innocent process is ever signalled. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { finished, mlpipe, Project } from "../e2e/project.ts";
import { processesIn, supervisorIn, survivorsIn, until } from "./processes.ts";
import { scripts, untilGo, write } from "./scripts.ts";

const steps = scripts({ step: { py: `open("up.mark", "w").write(str(os.getpid()))\n${untilGo}${write}` } });

/** A run that claimed its step's key and was killed together with its supervisor: its lock file stays behind. */
async function crash(project: Project): Promise<string> {
  const child = project.start(["run"]);
  const ended = finished(child);
  await until(() => existsSync(join(project.root, "up.mark")));
  // The supervisor first, stopped, so that it cannot clean up after mlpipe.
  const supervisor = supervisorIn(project.root) ?? 0;
  process.kill(supervisor, "SIGSTOP");
  child.kill("SIGKILL");
  process.kill(supervisor, "SIGKILL");
  await ended;
  const [run = ""] = readdirSync(join(project.root, ".mlpipe/runs"));
  return join(project.root, ".mlpipe/runs", run, "alive.db");
}

function bystander(name: string, env: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn("sleep", ["600"], {
    argv0: name,
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: "ignore",
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

describe.skipIf(process.platform !== "linux")("after a crash", () => {
  it("a lock file that stayed behind locks nothing, and what the step left is ended before its folder is used", async () => {
    using project = new Project(steps);
    const lock = await crash(project);
    expect(existsSync(lock)).toBe(true);
    // Nobody is left to end it.
    expect(processesIn(project.root).filter((line) => line.includes("step.py"))).toHaveLength(1);
    const old = project.read("up.mark");
    project.write({ "go.mark": "" });
    expect(await project.statuses()).toEqual({ ran: ["step"] });
    expect(processesIn(project.root).filter((line) => line.startsWith(`${old} `))).toEqual([]);
    expect(await survivorsIn(project.root, 500)).toEqual([]);
  });

  it.each([
    ["is empty", (lock: string) => writeFileSync(lock, "")],
    ["is no database", (lock: string) => writeFileSync(lock, "pid 1\n".repeat(500))],
    [
      "was written by others",
      (lock: string) => writeFileSync(lock, "SQLite format 3\0garbage".padEnd(4096, "x")),
    ],
    ["is a folder", (lock: string) => (rmSync(lock), mkdirSync(lock))],
    ["is gone", (lock: string) => rmSync(lock)],
  ] as const)("a lock file that %s locks nothing", async (_what, damage) => {
    using project = new Project(steps);
    damage(await crash(project));
    project.write({ "go.mark": "" });
    expect(await project.statuses()).toEqual({ ran: ["step"] });
    const { stdout, exit } = await project.mlpipe("runs");
    expect([exit, stdout.match(/crashed/g)?.length]).toEqual([0, 1]);
    await survivorsIn(project.root);
  });

  it("processes with like names and marks of other attempts are left alone, however a step ends", async () => {
    using project = new Project(
      scripts({
        daemon: { py: `subprocess.Popen(["sleep", "600"], start_new_session=True)\n${write}` },
        late: {
          py: `subprocess.Popen(["sleep", "600"], start_new_session=True)\ntime.sleep(600)`,
          with: `{ timeout: "1s" }`,
        },
        step: {
          py: `subprocess.Popen(["sleep", "600"], start_new_session=True)\nopen("up.mark", "w").close()\n${untilGo}${write}`,
          needs: "daemon",
        },
      }),
    );
    const attempts = join(project.root, ".mlpipe/attempts");
    const innocent = [
      bystander("python3 step.py", {}),
      bystander("sleep", { MLPIPE_ATTEMPT: "" }),
      bystander("sleep", { MLPIPE_ATTEMPT: attempts }),
      bystander("sleep", { MLPIPE_ATTEMPT: join(attempts, "no-attempt") }),
      bystander("sleep", { OTHER: `MLPIPE_ATTEMPT=${join(attempts, "step-0123456789abcdef")}` }),
      bystander("sleep", { MLPIPE_ATTEMPT: `${project.root}-other/.mlpipe/attempts/step-0123456789abcdef` }),
    ];
    project.write({ "go.mark": "" });
    expect((await project.run("--keep-going")).exit).toBe(1);
    rmSync(join(project.root, "go.mark"));
    rmSync(join(project.root, "up.mark"), { force: true });
    const child = project.start(["run", "--force", "step"]);
    const ended = finished(child);
    await until(() => existsSync(join(project.root, "up.mark")));
    child.kill("SIGKILL");
    await ended;
    await until(() => processesIn(project.root).every((line) => !line.includes("step.py")));
    expect(innocent.map(({ exitCode, signalCode }) => [exitCode, signalCode])).toEqual(
      innocent.map(() => [null, null]),
    );
  });

  const canNumber = process.getuid?.() === 0 && existsSync("/proc/sys/kernel/ns_last_pid");
  it.skipIf(!canNumber)("a process that has got the number of one that died is left alone", async () => {
    using project = new Project(steps);
    // In a pid namespace of its own, where numbers can be chosen: the step's and the supervisor's are given again.
    project.write({
      "recycle.sh": `
"$1" "$2" run >/dev/null 2>&1 &
main=$!
while [ ! -s up.mark ]; do sleep 0.05; done
step=$(cat up.mark)
supervisor=$(pgrep -f supervisor/main)
kill -STOP $supervisor; kill -9 $main; kill -9 $supervisor; kill -9 $step
wait $main 2>/dev/null
while kill -0 $step 2>/dev/null || kill -0 $supervisor 2>/dev/null; do sleep 0.05; done
for number in $main $supervisor $step; do
  echo $((number - 1)) >/proc/sys/kernel/ns_last_pid
  sleep 600 &
  echo "$number $!" >>numbers.txt
done
touch go.mark
"$1" "$2" run --json >run.json 2>run.err
echo $? >exit.txt
for number in $main $supervisor $step; do kill -0 $number && echo alive >>alive.txt; done
kill -9 $main $supervisor $step
`,
    });
    spawnSync("unshare", ["-pf", "--mount-proc", "sh", "recycle.sh", process.execPath, mlpipe], {
      cwd: project.root,
      stdio: "inherit",
      timeout: 60_000,
    });
    const numbers = project
      .read("numbers.txt")
      .trim()
      .split("\n")
      .map((line) => line.split(" "));
    expect(numbers.filter(([wanted, got]) => wanted === got).length).toBeGreaterThan(0);
    expect([project.read("exit.txt"), project.read("alive.txt")]).toEqual(["0\n", "alive\nalive\nalive\n"]);
    expect(readFileSync(join(project.root, "artifacts/work/step.txt"), "utf8")).toBe("done");
  });
});
