/**
 * Promise 4: a full disk, no inodes, a folder that may not be written to, too many open files: one clear error with path
 * and errno, no partial object, and once the cause is gone the next run is right.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { type Finished, finished, mlpipe, Project, type RunJson } from "../e2e/project.ts";
import { asOrdinary, canBeOrdinary, giveToOrdinary, startAsOrdinary } from "../e2e/ordinary-user.ts";
import { problemsOf } from "./store-state.ts";
import { survivorsIn, until } from "./processes.ts";
import { scripts, write } from "./scripts.ts";
import { threeSteps } from "./three-steps.ts";

const isRoot = process.platform === "linux" && process.getuid?.() === 0;
const canMount = isRoot && spawnSync("unshare", ["-m", "sh", "-c", "mount -t tmpfs none /mnt"]).status === 0;

/** A project whose store is a small file system of its own. */
class SmallDisk implements Disposable {
  readonly project: Project;
  readonly store: string;

  constructor(files: Readonly<Record<string, string>>, options: string) {
    this.project = new Project(files);
    this.store = join(this.project.root, ".mlpipe");
    mkdirSync(this.store, { mode: 0o700 });
    const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "none", this.store], {
      encoding: "utf8",
    });
    if (status !== 0) throw new Error(stderr);
  }

  /** Fills what is left but for so many bytes. */
  fill(but: number): void {
    rmSync(join(this.store, "filler"), { force: true });
    const { stdout } = spawnSync("stat", ["-f", "-c", "%f %S", this.store], { encoding: "utf8" });
    const [blocks = 0, size = 0] = stdout.trim().split(" ").map(Number);
    writeFileSync(join(this.store, "filler"), Buffer.alloc(Math.max(0, blocks * size - but)));
  }

  [Symbol.dispose](): void {
    spawnSync("umount", ["-l", this.store]);
    this.project[Symbol.dispose]();
  }
}

/** The last to close a database folds its log into it, and removes both the log and its index. */
function foldLog(store: string): void {
  const database = new DatabaseSync(join(store, "state.db"));
  database.prepare("SELECT count(*) FROM runs").get();
  database.close();
}

/** One error, with what is needed to find the cause; and never a stack of mlpipe's own. */
function expectClear({ exit, stderr, stdout }: Finished, errno: string): void {
  expect([1, 4], stderr + stdout).toContain(exit);
  expect(stderr + stdout).toMatch(/MLP\d{4}/);
  expect(stderr + stdout).toContain(errno);
  expect(stderr).not.toMatch(/^ {4}at .*\.ts:\d+/m);
  expect(stderr + stdout).not.toContain("MLP7000");
}

describe.skipIf(!canMount)("a full disk", () => {
  it("anywhere from the first byte on: one error, nothing half, and right again when there is room", async () => {
    const wrong: unknown[] = [];
    // From no room at all to nearly enough, so that it ends in the database, a log, an object, a record.
    for (const room of [0, 4_096, 20_000, 60_000, 120_000, 200_000, 300_000, 500_000]) {
      using disk = new SmallDisk(threeSteps, "size=2m");
      disk.fill(room);
      const full = await disk.project.mlpipe("run");
      if (full.exit !== 0) {
        if (
          !/MLP\d{4}/.test(full.stderr + full.stdout) ||
          !/ENOSPC/.test(full.stderr + full.stdout) ||
          ![1, 4].includes(full.exit ?? -1)
        )
          wrong.push({ room, ...full });
        if (
          existsSync(join(disk.store, "state.db")) &&
          statSync(join(disk.store, "state.db")).size > 0 &&
          room >= 200_000
        ) {
          const problems = problemsOf(disk.store);
          if (problems.length > 0) wrong.push({ room, problems });
        }
      }
      rmSync(join(disk.store, "filler"));
      const { exit } = await disk.project.run();
      if (
        exit !== 0 ||
        disk.project.read("artifacts/three/text.txt") !== "the source\n" ||
        problemsOf(disk.store).length > 0
      )
        wrong.push({ room, exit, problems: problemsOf(disk.store) });
      if ((await survivorsIn(disk.project.root)).length > 0)
        wrong.push({ room, survivors: await survivorsIn(disk.project.root) });
    }
    expect(wrong).toEqual([]);
  }, 180_000);

  it("because of a log: the step is not at fault, its result is not kept", async () => {
    using disk = new SmallDisk(
      scripts({
        loud: {
          py: `sys.stdout.write("x" * (10_000_000 if not os.path.exists("room.mark") else 10))\n${write}`,
        },
      }),
      "size=3m",
    );
    const full = await disk.project.mlpipe("run");
    // The record has no room either.
    expectClear(full, "ENOSPC");
    disk.project.write({ "room.mark": "" });
    spawnSync("sh", ["-c", `rm -rf ${disk.store}/runs/*/*.log`]);
    expect(await disk.project.statuses()).toEqual({ ran: ["loud"] });
  });

  it("is what gc and verify --repair are for: what they remove makes the room they need", async () => {
    const wrong: unknown[] = [];
    for (const how of [["gc"], ["verify", "--repair"]] as const) {
      for (const [room, isFolded] of [0, 20_000, 60_000].flatMap((each) => [
        [each, true] as const,
        [each, false] as const,
      ])) {
        using disk = new SmallDisk(threeSteps, "size=3m");
        await disk.project.mlpipe("run");
        if (isFolded) foldLog(disk.store);
        // Of a step that was killed.
        disk.project.write({ ".mlpipe/attempts/copy-0123456789abcdef/out.bin": "x".repeat(500_000) });
        disk.fill(room);
        const { exit, stdout, stderr } = await disk.project.mlpipe(...how);
        const left = readdirSync(join(disk.store, "attempts"));
        if (exit !== 0 || left.length > 0) wrong.push({ how, room, isFolded, exit, stdout, stderr, left });
        rmSync(join(disk.store, "filler"));
        if (problemsOf(disk.store).length > 0)
          wrong.push({ how, room, isFolded, problems: problemsOf(disk.store) });
      }
    }
    expect(wrong).toEqual([]);
  }, 60_000);

  it("where there is nothing that gc can begin with: one error, from it and from verify --repair", async () => {
    for (const how of [["gc"], ["verify", "--repair"]] as const) {
      using disk = new SmallDisk(threeSteps, "size=2m");
      await disk.project.mlpipe("run");
      foldLog(disk.store);
      disk.fill(0);
      const full = await disk.project.mlpipe(...how);
      expectClear(full, "ENOSPC");
      expect(full.stderr).toContain("MLP4005");
      expect(full.stderr).toContain(".mlpipe/");
      rmSync(join(disk.store, "filler"));
      expect((await disk.project.mlpipe(...how)).exit).toBe(0);
      expect(problemsOf(disk.store)).toEqual([]);
    }
  }, 60_000);

  it("has no room for the record of a run in which nothing has to run: it says so, and that all is up to date", async () => {
    for (const room of [0, 4_096, 20_000]) {
      using disk = new SmallDisk(threeSteps, "size=3m");
      await disk.project.mlpipe("run");
      disk.fill(room);
      const full = await disk.project.mlpipe("run");
      expectClear(full, "ENOSPC");
      expect(full.exit).toBe(4);
      expect(full.stderr).toContain(".mlpipe/");
      expect(full.stderr).toContain("All results are kept and up to date");
      for (const step of ["copy", "spread", "join"])
        expect(full.stderr).toMatch(new RegExp(`^= ${step} +cached`, "m"));
      rmSync(join(disk.store, "filler"));
      expect(await disk.project.statuses()).toEqual({ cached: ["copy", "spread", "join"] });
      expect(problemsOf(disk.store)).toEqual([]);
    }
  }, 60_000);

  it("that has no inodes left: the same", async () => {
    for (const inodes of [8, 14, 18, 22]) {
      using disk = new SmallDisk(threeSteps, `size=20m,nr_inodes=${inodes}`);
      expectClear(await disk.project.mlpipe("run"), "ENOSPC");
      spawnSync("mount", ["-o", "remount,nr_inodes=10000", disk.store]);
      expect((await disk.project.run()).exit).toBe(0);
      expect(problemsOf(disk.store)).toEqual([]);
    }
  });

  it("that is read-only: the same", async () => {
    using disk = new SmallDisk(threeSteps, "size=20m");
    spawnSync("mount", ["-o", "remount,ro", disk.store]);
    expectClear(await disk.project.mlpipe("run"), "EROFS");
    spawnSync("mount", ["-o", "remount,rw", disk.store]);
    expect((await disk.project.run()).exit).toBe(0);
  });

  it("where only what is returned does not fit: it is said, and what ran is kept", async () => {
    using project = new Project(threeSteps);
    mkdirSync(join(project.root, "artifacts"));
    spawnSync("mount", ["-t", "tmpfs", "-o", "size=4k,nr_inodes=3", "none", join(project.root, "artifacts")]);
    try {
      expectClear(await project.mlpipe("run"), "ENOSPC");
    } finally {
      spawnSync("umount", ["-l", join(project.root, "artifacts")]);
    }
    expect(await project.statuses()).toEqual({ cached: ["copy", "spread", "join"] });
  });
});

describe("what belongs to somebody else", () => {
  function projectOfUser(files = threeSteps): Project {
    const project = new Project(files);
    giveToOrdinary(project);
    return project;
  }

  it.skipIf(!canBeOrdinary)("a folder: is named, with what the system said", async () => {
    using project = new Project(threeSteps);
    chmodSync(project.root, 0o555);
    try {
      expectClear(await asOrdinary(project, "run"), "EACCES");
    } finally {
      chmodSync(project.root, 0o755);
    }
    expect(readdirSync(project.root)).not.toContain("artifacts");
    expect((await project.run()).exit).toBe(0);
  });

  const reading = [["runs"], ["verify"], ["gc"], ["logs"], ["show", "last"], ["get", "copy.text", "-o", "x"]];
  it.skipIf(!canBeOrdinary).each<readonly [path: string, commands: readonly (readonly string[])[]]>([
    ["in.txt", [["run"], ["plan"], ["status"]]],
    ["mlpipe.lock", [["run", "--frozen"]]],
    [".mlpipe", [["run"], ["plan"], ...reading]],
    [".mlpipe/state.db", [["run"], ["plan"], ...reading]],
    [".mlpipe/objects", [["run"], ["verify"], ["verify", "--repair"], ["gc"]]],
    [".mlpipe/runs", [["run"], ["verify"]]],
    [".mlpipe/attempts", [["run", "--force"]]],
  ])("%s, which may not be read: each command says so, and is right when it may", async (path, commands) => {
    using project = projectOfUser();
    expect((await asOrdinary(project, "run")).exit).toBe(0);
    const place = join(project.root, path);
    const { mode } = statSync(place);
    chmodSync(place, 0);
    for (const command of commands) expectClear(await asOrdinary(project, ...command), "EACCES");
    chmodSync(place, mode);
    const again = await asOrdinary(project, "run", "--json");
    expect(again.exit, again.stderr).toBe(0);
    const { steps } = JSON.parse(again.stdout) as RunJson;
    expect(new Set(steps.map(({ status }) => status))).toEqual(new Set(["cached"]));
    expect(problemsOf(project.root)).toEqual([]);
  });

  it.skipIf(!canBeOrdinary)(
    "a store, which may be read and not written to: what only looks, looks",
    async () => {
      using project = projectOfUser();
      await asOrdinary(project, "run");
      const store = join(project.root, ".mlpipe");
      // As others see it, who have no log to write to.
      foldLog(store);
      chmodSync(store, 0o500);
      for (const command of [
        ["runs"],
        ["show", "last"],
        ["plan"],
        ["verify"],
        ["get", "copy.text", "-o", "-"],
      ]) {
        const { exit, stderr } = await asOrdinary(project, ...command);
        expect([command[0], exit, stderr]).toEqual([command[0], 0, ""]);
      }
      chmodSync(store, 0o700);
    },
  );

  it.skipIf(!canBeOrdinary)(
    "a folder that a step has closed goes with its attempt, or with the next one",
    async () => {
      using project = projectOfUser({
        "steps.ts": `import { cmd, data, file } from "mlpipe";
export const close = data("close", { outputs: { to: file("txt") }, command: (_, o) => cmd\`sh close.sh \${o.to}\` });`,
        "close.sh": `folder="$(dirname "$1")/../closed"
mkdir -p "$folder/inner"; touch "$folder/inner/file"; chmod 500 "$folder/inner" "$folder"; touch closed.mark
while [ -e wait.mark ]; do sleep 0.1; done
echo done > "$1"`,
        "close.pipeline.ts": `import { pipeline } from "mlpipe";
import { close } from "./steps.ts";
export default pipeline("close", () => ({ to: close({}).to }));`,
        "wait.mark": "",
      });
      const attempts = join(project.root, ".mlpipe/attempts");
      const killed = startAsOrdinary(project, "run");
      await until(() => existsSync(join(project.root, "closed.mark")));
      killed.kill("SIGKILL");
      await once(killed, "close");
      rmSync(join(project.root, "wait.mark"));
      const again = await asOrdinary(project, "run");
      expect(again.exit, again.stderr).toBe(0);
      expect(readdirSync(attempts)).toEqual([]);
    },
  );

  it.skipIf(!canBeOrdinary)("a log or a module: is named, with what to look at", async () => {
    using project = projectOfUser();
    project.edit("steps.ts", "cp ", "cp -v ");
    await asOrdinary(project, "run");
    const runs = join(project.root, ".mlpipe/runs");
    const log = globSync("*/*.log", { cwd: runs }).map((name) => join(runs, name))[0] ?? "";
    chmodSync(log, 0);
    expectClear(await asOrdinary(project, "logs", "last"), "EACCES");
    chmodSync(join(project.root, "steps.ts"), 0);
    const run = await asOrdinary(project, "run");
    expect([run.exit, run.stderr]).toEqual([
      2,
      expect.stringMatching(/MLP6004.*EACCES.*steps\.ts[^]*→ Check who owns/),
    ]);
  });
});

/** Enough of them for what short steps have: places ahead of time, pipes that go from one to the next. */
const manyShort = {
  "in.txt": "the source\n",
  "steps.ts": `import { cmd, data, file } from "mlpipe";
import { z } from "zod";
export const copy = data("copy", {
  inputs: { text: file("txt"), n: z.int() },
  outputs: { text: file("txt") },
  command: (i, o) => cmd\`cp \${i.text} \${o.text}\`,
});
`,
  "many.pipeline.ts": `import { file, pipeline, source } from "mlpipe";
import { z } from "zod";
import { copy } from "./steps.ts";
export default pipeline("many", z.object({}), () => {
  for (let n = 0; n < 80; n++) copy.as(\`copy-\${n}\`)({ text: source("in.txt", file("txt")), n });
  return {};
});
`,
};

describe.skipIf(process.platform !== "linux")("too many open files", () => {
  it("is an error that says so, from the fewest that Node starts with up to enough", async () => {
    let [failures, successes] = [0, 0];
    for (const limit of [20, 22, 23, 24, 25, 26, 27, 28, 29, 30, 32, 64]) {
      using project = new Project(threeSteps);
      const limited = await finished(
        spawn("prlimit", [`--nofile=${limit}:${limit}`, process.execPath, mlpipe, "run"], {
          cwd: project.root,
          env: { ...process.env, NO_COLOR: "1" },
          stdio: ["ignore", "pipe", "pipe"],
        }),
      );
      // With so few Node itself does not start.
      if (limited.signal !== null || limited.stderr.startsWith("node:internal/")) continue;
      if (limited.exit === 0) successes++;
      else {
        failures++;
        expectClear(limited, "EMFILE");
      }
      expect((await project.run()).exit).toBe(0);
      expect(problemsOf(join(project.root, ".mlpipe"))).toEqual([]);
    }
    expect(failures).toBeGreaterThan(0);
    expect(successes).toBeGreaterThan(0);
  });

  it("is one of many short steps too, which have pipes of their own", async () => {
    let failures = 0;
    for (const limit of [31, 32, 33, 34, 36, 40]) {
      using project = new Project(manyShort);
      const limited = await finished(
        spawn("prlimit", [`--nofile=${limit}:${limit}`, process.execPath, mlpipe, "run", "--jobs", "4"], {
          cwd: project.root,
          env: { ...process.env, NO_COLOR: "1" },
          stdio: ["ignore", "pipe", "pipe"],
        }),
      );
      if (limited.exit !== 0) {
        failures++;
        expectClear(limited, "EMFILE");
      }
      expect((await project.run()).exit).toBe(0);
    }
    expect(failures).toBeGreaterThan(0);
  });
});
