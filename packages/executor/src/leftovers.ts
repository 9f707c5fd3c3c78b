/**
 * Processes of an attempt whose mlpipe was killed: they may still write into its folder, so they
 * are ended before the folder is used again.
 */
import { readdirSync, readFileSync } from "node:fs";

/** The variable by which a process tells which attempt it belongs to; what it starts inherits it. */
export const attemptVariable = "MLPIPE_ATTEMPT";

/** Ends every process that an earlier attempt in a folder has left. Linux only: elsewhere nobody can be asked. */
export function endLeftovers(folder: string): void {
  if (process.platform !== "linux") return;
  const mark = `${attemptVariable}=${folder}`;
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || !environmentOf(name).includes(mark)) continue;
    try {
      process.kill(Number(name), "SIGKILL");
    } catch {
      // It ended by itself, or belongs to another user and could not write here anyway.
    }
  }
}

function environmentOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    // Gone, or somebody else's.
    return [];
  }
}
