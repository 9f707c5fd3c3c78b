import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Database, text } from "./database.ts";
import { runFolder, runsOnDisk, type Layout } from "./layout.ts";
import { runsAlive } from "./tending.ts";

/**
 * What killed processes left: work folders and temporary files, and the lock files of runs.
 *
 * What lies in `attempts/` belongs to nobody if nothing runs. Beside a run it does if it is older than every run that
 * is alive (the lock file of a run is made before anything else of it, and by the same clock), or if it is the work
 * folder of a key that no living run claims.
 */
export function leftovers(layout: Layout): readonly string[] {
  const alive = runsAlive(layout);
  const found: string[] = [];
  const oldest = Math.min(...alive.map((run) => beginOf(layout, run)));
  const claimed = alive.length === 0 ? [] : claimedKeys(layout, alive);
  for (const name of list(layout.attempts)) {
    const path = join(layout.attempts, name);
    const changed = lstatSync(path, { throwIfNoEntry: false })?.ctimeMs ?? Infinity;
    const key = /-([0-9a-f]{16})$/.exec(name)?.[1];
    const isClaimed = key !== undefined && claimed.some((other) => other.startsWith(key));
    if (!isClaimed && (alive.length === 0 || changed < oldest)) found.push(path);
  }
  for (const run of runsOnDisk(layout)) {
    const lock = join(runFolder(layout, run), "alive.db");
    if (!alive.includes(run) && lstatSync(lock, { throwIfNoEntry: false }) !== undefined) found.push(lock);
  }
  return found;
}

/** When a run began, by the clock of the file system, in milliseconds. */
export function beginOf(layout: Layout, run: string): number {
  // Nothing is ever written to it, so this is when it was made; one that is gone belongs to a run that has left.
  return lstatSync(join(runFolder(layout, run), "alive.db"), { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
}

function claimedKeys(layout: Layout, alive: readonly string[]): readonly string[] {
  const database = new Database(layout.database, { readonly: true });
  try {
    return database
      .all("SELECT key, run FROM claims")
      .flatMap((row) => (alive.includes(text(row, "run")) ? [text(row, "key")] : []));
  } finally {
    database.close();
  }
}

function list(folder: string): readonly string[] {
  return lstatSync(folder, { throwIfNoEntry: false }) === undefined ? [] : readdirSync(folder);
}
