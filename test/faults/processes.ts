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

/** The supervisors of the runs in a folder. */
export function supervisorsIn(folder: string): readonly number[] {
  const found = processesIn(folder).filter((line) => line.includes("supervisor/main"));
  return found.map((line) => Number(line.split(" ")[0]));
}

/** The supervisor of the run in a folder, once there is one. */
export function supervisorIn(folder: string): number | undefined {
  return supervisorsIn(folder)[0];
}

/** Kills the supervisor of the run in a folder with -9. @param but those of other runs */
export function killSupervisor(folder: string, but: readonly number[] = []): void {
  const supervisor = supervisorsIn(folder).find((pid) => !but.includes(pid));
  // To signal the process 0 would end the test itself.
  if (supervisor === undefined) throw new Error("there is no supervisor");
  process.kill(supervisor, "SIGKILL");
}

/** Waits for something to come true. */
export async function until(what: () => boolean, patienceMs = 20_000): Promise<void> {
  for (const since = performance.now(); !what(); await pause(10)) {
    if (performance.now() - since > patienceMs) throw new Error(`it did not come to it: ${what.toString()}`);
  }
}
