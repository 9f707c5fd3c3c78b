/**
 * What this process may use of the machine: its processors and memory, or what a container or a
 * service manager leaves it of them. Linux keeps such limits in control groups: each group up to
 * the root may set one, and the tightest holds.
 */
import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";

/** Where Linux has what is looked at; tests have folders of their own. */
export interface SystemFolders {
  /** @default "/proc/self" */
  readonly self: string;
}

const own: SystemFolders = { self: "/proc/self" };

/** Processors, a whole number from 1 up. */
export function cpuLimit(folders: SystemFolders = own): number {
  let limit = availableParallelism();
  for (const read of groupFolders("cpu", folders)) {
    const [quota, period] = (
      read("cpu.max") ?? `${read("cpu.cfs_quota_us") ?? ""} ${read("cpu.cfs_period_us") ?? ""}`
    )
      .split(" ")
      .map(Number);
    // `max` is no number, and -1 means no limit.
    if (quota !== undefined && period !== undefined && quota > 0 && period > 0)
      limit = Math.min(limit, quota / period);
  }
  return Math.max(1, Math.floor(limit));
}

/** Bytes. */
export function memoryLimit(folders: SystemFolders = own): number {
  let limit = totalmem();
  for (const read of groupFolders("memory", folders)) {
    const bytes = Number(read("memory.max") ?? read("memory.limit_in_bytes"));
    if (bytes > 0) limit = Math.min(limit, bytes);
  }
  return limit;
}

/**
 * How many processes the kernel has ended in this process's control group because memory ran out;
 * nothing where it does not tell.
 */
export function outOfMemoryKills(folders: SystemFolders = own): number | undefined {
  for (const read of groupFolders("memory", folders)) {
    const events = read("memory.events") ?? read("memory.oom_control");
    const kills = /^oom_kill (\d+)$/m.exec(events ?? "")?.[1];
    if (kills !== undefined) return Number(kills);
  }
  return undefined;
}

/** Reads a file of one control group. */
type ReadGroup = (name: string) => string | undefined;

/** The groups of a controller that this process is in, from its own up to the root. */
function* groupFolders(controller: string, { self }: SystemFolders): Generator<ReadGroup> {
  const groups = contentOf(join(self, "cgroup"))?.split("\n") ?? [];
  const mounts = contentOf(join(self, "mountinfo"))?.split("\n") ?? [];
  for (const group of groups) {
    // `4:memory:/path` in version 1, `0::/path` in version 2.
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(group) ?? [];
    const isV2 = controllers === "";
    if (path === "" || (!isV2 && !controllers.split(",").includes(controller))) continue;
    const mount = mounts.map(mountOf).find((each) => {
      if (each === undefined) return false;
      return isV2 ? each.type === "cgroup2" : each.type === "cgroup" && each.options.includes(controller);
    });
    if (mount === undefined) continue;
    // In a container the mount begins somewhere below the root of all groups.
    const inside = path.startsWith(mount.root) ? path.slice(mount.root.length) : path;
    for (let folder = join(mount.point, inside); ; folder = dirname(folder)) {
      yield (name) => contentOf(join(folder, name))?.trim();
      if (folder.length <= mount.point.length) break;
    }
  }
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** A line of `mountinfo`: `… ROOT POINT OPTIONS … - TYPE SOURCE SUPER_OPTIONS`. */
function mountOf(line: string): Mount | undefined {
  const [before = "", after = ""] = line.split(" - ");
  const [, , , root, point] = before.split(" ");
  const [type, , options = ""] = after.split(" ");
  if (root === undefined || point === undefined || type === undefined) return undefined;
  return { root: root === "/" ? "" : root, point, type, options: options.split(",") };
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Not Linux, or no such limit.
    return undefined;
  }
}
