/**
 * Machines that are not a developer's: containers without `/proc`, a home of somebody else, a project in an image's layer,
 * paths that are too long, packages of another system. Either mlpipe does what it does elsewhere, or says what is missing.
 */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it } from "vitest";
import { becomeOrdinary, canBeOrdinary, giveToOrdinary } from "../e2e/ordinary-user.ts";
import { type Finished, finished, mlpipe, Project } from "../e2e/project.ts";
import { isFull } from "./extent.ts";
import { survivorsIn } from "./processes.ts";
import { scripts, write } from "./scripts.ts";
import { problemsOf } from "./store-state.ts";
import { threeSteps } from "./three-steps.ts";

const canMount =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  spawnSync("unshare", ["-m", "sh", "-c", "mount -t tmpfs none /mnt"]).status === 0;

/** Runs a command of the shell, as `$1` node and `$2` mlpipe are, with file systems of its own. */
function mounted(cwd: string, script: string, env: NodeJS.ProcessEnv = process.env): Promise<Finished> {
  const words = ["-m", "sh", "-c", script, "sh", process.execPath, mlpipe];
  return finished(spawn("unshare", words, { cwd, env, stdio: ["ignore", "pipe", "pipe"] }));
}

describe.skipIf(!canMount)("without /proc", () => {
  it("steps run, and what they leave in their group ends with them", async () => {
    using project = new Project({
      ...scripts({
        left: { py: `subprocess.Popen(["sleep", "600"])\n${write}` },
        after: { needs: "left", py: write },
      }),
    });

    const run = await mounted(project.root, 'mount -t tmpfs none /proc && exec "$1" "$2" run --json');

    expect(run.stderr).not.toContain("MLP");
    expect(run.exit).toBe(0);
    expect(await survivorsIn(project.root)).toEqual([]);
    expect(problemsOf(join(project.root, ".mlpipe"))).toEqual([]);
  });
});

describe.skipIf(!canMount)("a project around what is mounted for the whole system, such as one in /", () => {
  it("is looked through for pipelines all the same", async () => {
    using project = new Project(threeSteps);
    mkdirSync(join(project.root, "proc"));

    const run = await mounted(project.root, 'mount -t proc none proc && exec "$1" "$2" run');

    expect(run.stderr).not.toContain("MLP7000");
    expect(run.exit).toBe(0);
  });
});

describe.skipIf(!canBeOrdinary || process.getuid?.() !== 0)("a home that is closed to the user", () => {
  it("is one in which Python finds no packages", async () => {
    using project = new Project(scripts({ one: { py: write } }));
    giveToOrdinary(project);
    const home = join(project.root, "home");
    mkdirSync(home, { mode: 0o700 });
    const start = async (command: string): Promise<Finished> =>
      finished(
        spawn("env", [...becomeOrdinary, process.execPath, mlpipe, command], {
          cwd: project.root,
          env: { ...process.env, HOME: home },
          stdio: ["ignore", "pipe", "pipe"],
        }),
      );

    const first = await start("run");
    expect(first.stderr).not.toContain("MLP");
    expect(first.exit).toBe(0);

    // It decides what Python finds, so that it is open now is looked at.
    chmodSync(home, 0o755);
    expect((await start("run")).stderr).toContain("one  cached");
  });
});

describe.skipIf(!canMount)("a project in a layer below (overlayfs)", () => {
  it("outputs are replaced, objects dropped and runs collected as elsewhere", async () => {
    using image = new Project(threeSteps);
    await image.run();
    const work = join(image.root, "container");
    mkdirSync(join(work, "project"), { recursive: true });
    const overlay = `mount -t tmpfs none ${work} && mkdir ${work}/up ${work}/work ${work}/project &&
      mount -t overlay -o lowerdir=${image.root},upperdir=${work}/up,workdir=${work}/work none ${work}/project &&
      cd ${work}/project`;

    const { stdout, stderr, exit } = await mounted(
      image.root,
      `${overlay} && echo another >> in.txt && "$1" "$2" run && cat artifacts/three/folder/part-ab &&
        "$1" "$2" gc --keep-last 1 && "$1" "$2" verify &&
        for file in .mlpipe/objects/*/*.tree/part-ab; do chmod u+w $file; echo damage >> $file; done &&
        "$1" "$2" verify --repair && "$1" "$2" run && "$1" "$2" verify`,
    );

    expect(stderr).not.toContain("EXDEV");
    expect(stdout).toContain("another");
    expect(stdout).toContain("Removed 1 run");
    expect(exit).toBe(0);
  });
});

describe("a path that is longer than SQLite opens", () => {
  it("is named as the cause, and the store can be elsewhere", async () => {
    using project = new Project({});
    const deep = join(project.root, ...Array.from({ length: 6 }, () => "x".repeat(80)));
    mkdirSync(join(deep, "node_modules"), { recursive: true });
    for (const name of ["mlpipe", "zod"])
      symlinkSync(realpathSync(join(project.root, "node_modules", name)), join(deep, "node_modules", name));
    project.write(
      Object.fromEntries(
        Object.entries({ ...threeSteps, "package.json": '{ "type": "module" }' }).map(([name, text]) => [
          join(deep.slice(project.root.length), name),
          text,
        ]),
      ),
    );

    const refused = await project.mlpipe("-C", deep, "run");
    expect(refused.exit).toBe(4);
    expect(refused.stderr).toContain("ENAMETOOLONG");
    expect(refused.stderr).toContain("MLPIPE_STORE=");

    const elsewhere = { MLPIPE_STORE: join(project.root, "store") };
    expect((await finished(project.start(["-C", deep, "run"], elsewhere))).exit).toBe(0);
  });
});

describe("a folder in the place of the database's log", () => {
  it("is damage: the database is rebuilt", async () => {
    using project = new Project(threeSteps);
    await project.run();
    const log = join(project.root, ".mlpipe/state.db-wal");
    rmSync(log, { force: true });
    mkdirSync(log);

    const { exit, stderr } = await project.mlpipe("runs");
    expect(stderr).toContain("MLP4002");
    expect(exit).toBe(4);
    expect(await project.statuses()).toEqual({ cached: ["copy", "spread", "join"] });
    expect((await project.mlpipe("verify")).exit).toBe(0);
  });
});

// It is waited for as long as for any other.
describe.runIf(isFull)("a database that somebody else keeps locked", () => {
  it("is named by verify too", async () => {
    using project = new Project(threeSteps);
    await project.run();
    const other = new DatabaseSync(join(project.root, ".mlpipe/state.db"));
    other.exec("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");

    const { exit, stderr } = await project.mlpipe("verify");
    other.close();
    expect(stderr).toContain("MLP4004");
    expect(exit).toBe(4);
  });
});

describe("packages that were installed for another machine", () => {
  it("are what is wrong, and no bug", async () => {
    using project = new Project(threeSteps);
    // By which the parser looks for its native part.
    const missing = { NAPI_RS_NATIVE_LIBRARY_PATH: join(project.root, "elsewhere.node") };
    const { exit, stderr } = await finished(project.start(["run"], missing));

    expect(stderr).toContain("MLP6013  The package oxc-parser cannot be loaded here");
    expect(stderr).toContain("install again here");
    expect(exit).toBe(4);
    expect((await project.mlpipe("run")).exit).toBe(0);
  });
});

describe.runIf(process.platform === "linux")("a folder whose name is not UTF-8", () => {
  it("is named, and no other is made for it", async () => {
    using project = new Project({});
    const name = Buffer.concat([Buffer.from(`${project.root}/`), Buffer.from([0x80, 0x61])]);
    mkdirSync(name);
    // Whoever starts it gives its folder as text, so a shell goes there.
    const script = 'cd "$0"/*a && exec "$@"';
    const words = ["-c", script, project.root, process.execPath, mlpipe, "runs"];
    const { exit, stderr } = await finished(spawn("sh", words, { stdio: ["ignore", "pipe", "pipe"] }));

    expect(stderr).toContain("MLP6010  The path of this folder is not valid UTF-8");
    expect(exit).toBe(2);
  });
});
