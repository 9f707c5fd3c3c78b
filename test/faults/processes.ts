/** The processes of a project, as the kernel tells them. */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** Numbers and command lines of the processes that work in a folder or name it. Linux only. */
export function processesIn(folder: string): readonly string[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    try {
      const line = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      const belongs =
        line.includes(folder) ||
        readlinkSync(`/proc/${name}/cwd`).startsWith(folder) ||
        readFileSync(`/proc/${name}/environ`, "utf8").includes(folder);
      return belongs ? [`${name} ${line}`] : [];
    } catch {
      // It has ended, or is another user's.
      return [];
    }
  });
}

/** What is still alive of a project after a while. */
export async function survivorsIn(folder: string, afterMs = 2_000): Promise<readonly string[]> {
  const since = performance.now();
  let alive = processesIn(folder);
  while (alive.length > 0 && performance.now() - since < afterMs) {
    await pause(20);
    alive = processesIn(folder);
  }
  return alive;
}

/** The supervisor of the run in a folder, once there is one. */
export function supervisorIn(folder: string): number | undefined {
  const found = processesIn(folder).find((line) => line.includes("supervisor/main"));
  return found === undefined ? undefined : Number(found.split(" ")[0]);
}

/** Waits for something to come true. */
export async function until(what: () => boolean, patienceMs = 20_000): Promise<void> {
  for (const since = performance.now(); !what(); await pause(10)) {
    if (performance.now() - since > patienceMs) throw new Error(`it did not come to it: ${what.toString()}`);
  }
}
