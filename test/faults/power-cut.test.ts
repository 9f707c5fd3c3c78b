/**
 * Promise 2: a power cut loses at most what was not yet acknowledged, and no object is ever short under a valid name. The
 * store lies on a file system in an image; a copy of the image at any moment is what a power cut at that moment leaves,
 * because what was not synced is not in it.
 */
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { finished, Project } from "../e2e/project.ts";
import { isFull, sweepTimeoutMs } from "./extent.ts";
import { processesIn } from "./processes.ts";
import { entriesOf, problemsOf } from "./store-state.ts";
import { threeSteps } from "./three-steps.ts";

const canMount =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  spawnSync("mkfs.ext4", ["-V"]).status === 0 &&
  existsSync("/dev/loop-control");

/** An ext4 file system in a file. */
class Image implements Disposable {
  readonly file: string;
  readonly #folder: string;
  #mounted: string | undefined;

  constructor(copyOf?: Image) {
    this.#folder = realpathSync(mkdtempSync(join(tmpdir(), "mlpipe-image-")));
    this.file = join(this.#folder, "disk.img");
    if (copyOf !== undefined) {
      execFileSync("cp", ["--sparse=always", copyOf.file, this.file]);
      return;
    }
    execFileSync("truncate", ["-s", "96M", this.file]);
    execFileSync("mkfs.ext4", ["-q", "-F", this.file]);
  }

  mount(at: string): void {
    mkdirSync(at, { recursive: true });
    execFileSync("mount", ["-o", "loop", this.file, at]);
    this.#mounted = at;
  }

  /** A copy in which no write is half done: taken while nobody writes, and again until two are alike. */
  static cut(of: Image): Image {
    for (let image = new Image(of); ;) {
      const again = new Image(of);
      if (spawnSync("cmp", ["-s", image.file, again.file]).status === 0) {
        image[Symbol.dispose]();
        return again;
      }
      image[Symbol.dispose]();
      image = again;
    }
  }

  [Symbol.dispose](): void {
    if (this.#mounted !== undefined) spawnSync("umount", ["-l", this.#mounted]);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const source = (round: number): string => `${round} `.repeat(60_000);

describe.skipIf(!canMount)("after a power cut", () => {
  it(
    "in the midst of runs: no object is short, no entry without its objects, and the next run is right",
    async () => {
      using project = new Project(threeSteps);
      using image = new Image();
      const store = join(project.root, ".mlpipe");
      image.mount(store);
      const wrong: unknown[] = [];
      let [cuts, kept, unfinished] = [0, 0, 0];
      for (let round = 0; round < (isFull ? 60 : 8); round++) {
        project.write({ "in.txt": source(round) });
        const child = project.start(["run", "--json"]);
        const ended = finished(child);
        await pause(150 + Math.random() * 500);
        if (child.exitCode === null) unfinished++;
        const stopped = processesIn(project.root).map((line) => Number(line.split(" ")[0]));
        for (const pid of stopped) signal(pid, "SIGSTOP");
        using after = new Project(threeSteps);
        using cut = Image.cut(image);
        for (const pid of stopped) signal(pid, "SIGCONT");
        await ended;
        cuts++;
        const left = join(after.root, ".mlpipe");
        cut.mount(left);
        const problems = problemsOf(left);
        kept += existsSync(join(left, "state.db")) ? entriesOf(left).length : 0;
        after.write({ "in.txt": source(round) });
        const { exit } = await after.run();
        const isRight = exit === 0 && after.read("artifacts/three/text.txt") === source(round);
        if (problems.length > 0 || !isRight || problemsOf(left).length > 0)
          wrong.push({ round, problems, exit, problemsThen: problemsOf(left) });
      }
      console.log(`${cuts} power cuts, ${unfinished} of them during a run; ${kept} entries survived`);
      expect(wrong).toEqual([]);
      expect(kept).toBeGreaterThan(0);
      expect(unfinished).toBeGreaterThan(0);
    },
    sweepTimeoutMs,
  );

  it(
    "what a run has said to be done is there; what nobody synced is not, or this test would show nothing",
    async () => {
      using project = new Project(threeSteps);
      using image = new Image();
      image.mount(join(project.root, ".mlpipe"));
      for (let round = 0; round < (isFull ? 20 : 3); round++) {
        project.write({ "in.txt": source(round) });
        const run = await project.run();
        const unsynced = join(project.root, ".mlpipe/unsynced");
        writeFileSync(unsynced, source(round));
        using after = new Project({ ...threeSteps, "in.txt": source(round) });
        using cut = Image.cut(image);
        const left = join(after.root, ".mlpipe");
        cut.mount(left);
        const lost = join(left, "unsynced");
        expect(existsSync(lost) && readFileSync(lost, "utf8") === source(round)).toBe(false);
        expect(problemsOf(left)).toEqual([]);
        const { stdout } = await after.mlpipe("runs");
        expect(stdout).toMatch(new RegExp(`${run.run.slice(0, 8)}[^\\n]*succeeded|succeeded`));
        expect(await after.statuses()).toEqual({ cached: ["copy", "spread", "join"] });
        rmSync(unsynced);
      }
    },
    sweepTimeoutMs,
  );
});

function signal(pid: number, name: "SIGSTOP" | "SIGCONT"): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}
