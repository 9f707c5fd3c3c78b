/** Faults at a system call, made by strace: Linux only, and where it may trace. */
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { type Finished, finished, mlpipe, type Project } from "../e2e/project.ts";

export const canTrace =
  process.platform === "linux" && spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

/** Everything by which a process changes what others can see: names, contents, permissions, other processes. */
const mutating = [
  "mkdir mkdirat rmdir rename renameat renameat2 unlink unlinkat link linkat symlink symlinkat",
  "write writev pwrite64 pwritev truncate ftruncate fallocate copy_file_range fsync fdatasync syncfs",
  "chmod fchmod fchmodat utimensat sendto sendmsg clone clone3 vfork fork",
].flatMap((names) => names.split(" "));

/** How often `mlpipe run` makes each call that changes something, as `[["rename", 20], …]`. */
export async function callsOfRun(project: Project): Promise<readonly (readonly [string, number])[]> {
  const log = join(project.root, "..", `${basename(project.root)}.calls`);
  await traced(project, ["-o", log, "-e", `trace=${mutating.map((name) => `?${name}`).join(",")}`]);
  const calls = readFileSync(log, "utf8").matchAll(/^(\w+)\(/gm);
  rmSync(log);
  const counts = Map.groupBy(calls, ([, name = ""]) => name);
  return [...counts].map(([name, all]) => [name, all.length]);
}

/**
 * `mlpipe run`, killed with -9 before it makes the nth call of this name. A run that makes fewer ends by itself.
 * Nothing but mlpipe's main thread is counted, and the other threads are one, so that a number means the same moment
 * each time, or nearly.
 */
export async function killedAtCall(project: Project, call: string, n: number): Promise<Finished> {
  return await traced(project, ["-o", "/dev/null", "-e", `inject=${call}:signal=SIGKILL:when=${n}`]);
}

async function traced(project: Project, options: readonly string[]): Promise<Finished> {
  const { FORCE_COLOR: _force, ...env } = process.env;
  return await finished(
    spawn("strace", [...options, process.execPath, mlpipe, "run", "--json", "--jobs", "1"], {
      cwd: project.root,
      env: { ...env, NO_COLOR: "1", UV_THREADPOOL_SIZE: "1" },
      stdio: ["ignore", "pipe", "pipe"],
    }),
  );
}
