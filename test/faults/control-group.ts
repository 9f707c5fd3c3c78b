/** A control group of Linux with so much memory, and programs in it: needs root. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mlpipe } from "../e2e/project.ts";

/** Where groups of the memory controller are made, and how their limit is called; nothing where they cannot be. */
const controller = [
  { folder: "/sys/fs/cgroup/memory", limit: "memory.limit_in_bytes" },
  { folder: "/sys/fs/cgroup", limit: "memory.max" },
].find(({ folder }) => {
  const probe = join(folder, `mlpipe-probe-${process.pid}`);
  try {
    mkdirSync(probe);
    const usable = existsSync(join(probe, "memory.max")) || existsSync(join(probe, "memory.limit_in_bytes"));
    rmdirSync(probe);
    return usable;
  } catch {
    return false;
  }
});

/** Whether this machine lets us make one. */
export const canMakeGroups = controller !== undefined;

let made = 0;

export class ControlGroup implements Disposable {
  readonly #path: string;

  constructor(bytes: number) {
    if (controller === undefined) throw new Error("there are no control groups here");
    this.#path = join(controller.folder, `mlpipe-test-${process.pid}-${made++}`);
    mkdirSync(this.#path);
    writeFileSync(join(this.#path, controller.limit), String(bytes));
  }

  /** Starts mlpipe in it. */
  mlpipe(cwd: string, ...args: readonly string[]): ChildProcess {
    const enter = `echo $$ > "${join(this.#path, "cgroup.procs")}" && exec "$@"`;
    return spawn("sh", ["-c", enter, "sh", process.execPath, mlpipe, ...args], {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  [Symbol.dispose](): void {
    // A process that has just ended is in it a moment longer.
    for (let tries = 0; tries < 100; tries++) {
      try {
        rmdirSync(this.#path);
        return;
      } catch {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      }
    }
    throw new Error(`${this.#path} is in use: ${readFileSync(join(this.#path, "cgroup.procs"), "utf8")}`);
  }
}
