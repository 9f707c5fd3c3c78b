import { existsSync, lstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";
import { aliveLocks } from "./alive-lock.ts";
import { Database, text } from "./database.ts";
import { discard, recordsPath, runFolder, runsOnDisk, type Layout } from "./layout.ts";
import { runsAlive } from "./tending.ts";

/** The file system's clock is not the process's own. */
const clockToleranceMs = 2_000;

/**
 * What killed processes left: work folders and temporary files, and the lock files of runs.
 *
 * What lies in `attempts/` belongs to nobody if nothing runs. Beside a run it belongs to nobody if it is older than
 * every run that is alive (the lock file of a run is made before anything else of it, and by the same clock); a work
 * folder, if no living run claims its key. A link is the name that a store elsewhere gives to a work folder
 * in this project (`attempts-as-shown.ts`): it is nobody's when it leads nowhere, whoever is alive here.
 */
export function leftovers(layout: Layout): readonly string[] {
  // Before asking who is alive: what a run makes that begins in between is not among these.
  const names = list(layout.attempts);
  const runs = runsOnDisk(layout);
  const alive = runsAlive(layout);
  const found: string[] = [];
  const oldest = Math.min(...alive.map((run) => beginOf(layout, run)));
  const claimed = alive.length === 0 ? undefined : claimedKeys(layout, alive);
  for (const name of names) {
    const path = join(layout.attempts, name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (isOfAnotherStore(name, stats)) {
      if (!existsSync(path)) found.push(path);
      continue;
    }
    const key = /-([0-9a-f]{16})$/.exec(name)?.[1];
    // An old one whose key is claimed is made anew by whoever claims it, perhaps at this very moment.
    const isNobodys =
      key === undefined
        ? (stats?.ctimeMs ?? Infinity) < oldest
        : claimed?.some((other) => other.startsWith(key)) === false;
    if (alive.length === 0 || isNobodys) found.push(path);
  }
  for (const run of runs) {
    if (alive.includes(run)) continue;
    // Without records it may be about to be locked for the first time.
    if (isThere(recordsPath(layout, run))) found.push(...lockFiles(layout, run).filter(isThere));
  }
  return found;
}

/** Removes them, and returns what was removed. Meanwhile nobody can claim a key, so no work folder comes to life. */
export function removeLeftovers(layout: Layout): readonly string[] {
  const database = new Database(layout.database, { readonly: false });
  try {
    return database.transaction(
      () => {
        const found = leftovers(layout);
        for (const path of found) discard(layout, path);
        return found;
      },
      { durable: false },
    );
  } finally {
    database.close();
  }
}

/**
 * When a run began, by the clock of the file system, in milliseconds; before everything, if the clock was set back since:
 * what is older than the run cannot be told then.
 */
export function beginOf(layout: Layout, run: string): number {
  // Nothing is ever written to them, so this is when they were made; a run that has left has none.
  const made = lockFiles(layout, run).map((path) => lstatSync(path, { throwIfNoEntry: false })?.mtimeMs);
  const begin = Math.min(...made.map((ms) => ms ?? Infinity));
  return begin !== Infinity && begin > Date.now() + clockToleranceMs ? -Infinity : begin;
}

function lockFiles(layout: Layout, run: string): readonly string[] {
  return Object.values(aliveLocks).map((name) => join(runFolder(layout, run), name));
}

/** The keys that living runs are at work on. */
export function claimedKeys(layout: Layout, alive: readonly string[]): readonly string[] {
  const database = new Database(layout.database, { readonly: true });
  try {
    return database
      .all("SELECT key, run FROM claims")
      .flatMap((row) => (alive.includes(text(row, "run")) ? [text(row, "key")] : []));
  } finally {
    database.close();
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Temporary ones may be links of this store's: what a step has made, on its way out. */
function isOfAnotherStore(name: string, stats: Stats | undefined): boolean {
  return stats?.isSymbolicLink() === true && !name.startsWith(".tmp-");
}

/** Nothing of a link: that is another store's folder. */
function list(folder: string): readonly string[] {
  return lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync(folder) : [];
}
