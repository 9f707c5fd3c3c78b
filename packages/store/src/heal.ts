import { existsSync, lstatSync, renameSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import {
  connectForReading,
  folderInPlaceOf,
  leadsNowhere,
  primaryCode,
  refusedBySystem,
  schemaVersion,
} from "./database.ts";
import { withPath } from "./errors.ts";
import { hasRecords, layoutOf, makeLayout, type Layout } from "./layout.ts";
import { rebuildDatabase, type Rebuilt } from "./rebuild.ts";
import { Tending, runsAlive, untilNothingRuns } from "./tending.ts";

/** What became of a database that was damaged or gone. */
export interface Healed extends Rebuilt {
  /** Where the damaged one lies now; `undefined` if there was none. */
  readonly aside: string | undefined;
}

/** SQLite's own files beside the database, by what their names end in. */
const companions = ["", "-wal", "-shm"];

/**
 * Puts a damaged database aside and makes a new one from objects and records; makes a new one if there is none.
 * Returns nothing if it is whole: another process may have done it a moment ago.
 *
 * A run that is executing has the damaged database open and would go on writing to it where nobody looks any more, and
 * its claims would be lost: so this waits until nothing runs. A run that begins in between finds, having taken its
 * alive lock, that its database is no longer in place (`Database.assertInPlace`); one that took the lock a moment
 * before the renaming is seen by the second look, and everything goes back to where it was.
 *
 * @throws StoreError `MLP4016` if runs go on for longer than the patience, or another process tends the store
 */
export async function healDatabase(
  root: string,
  options: { readonly patienceMs?: number } = {},
): Promise<Healed | undefined> {
  const layout = layoutOf(root);
  makeLayout(layout);
  using _ = Tending.begin(layout, options.patienceMs);
  const damage = databaseDamage(layout);
  if (damage === undefined) return undefined;
  return { aside: await replaceDatabase(layout, damage, options.patienceMs), ...rebuildDatabase(layout) };
}

/** Puts the database aside unless nothing is in it. Returns where it lies then. The caller tends the store. */
export async function replaceDatabase(
  layout: Layout,
  damage: string,
  patienceMs?: number,
): Promise<string | undefined> {
  if (damage !== gone) return putAside(layout, patienceMs);
  await untilNothingRuns(layout, patienceMs);
  return undefined;
}

async function putAside(layout: Layout, patienceMs?: number): Promise<string> {
  const now = new Date().toISOString().replaceAll(/[-:]/g, "").replace(".", "");
  const aside = `${layout.database}.damaged-${now}`;
  for (;;) {
    await untilNothingRuns(layout, patienceMs);
    move(layout.database, aside);
    if (runsAlive(layout).length === 0) return aside;
    move(aside, layout.database);
  }
}

function move(from: string, to: string): void {
  for (const companion of companions) {
    // Not followed: a link that leads nowhere is moved too.
    if (lstatSync(from + companion, { throwIfNoEntry: false }) !== undefined)
      withPath("move aside", from, () => renameSync(from + companion, to + companion));
  }
}

/** Result codes that speak of locks, permissions and disks, and not of what is in the file. */
const ofTheMachine = new Set([5, 6, 8, 10, 13, 14]);

/** What SQLite stores of the columns that are read as text or bytes; another type is a flipped bit. */
const readable = [
  "SELECT 'runs' AS name FROM runs WHERE typeof(id) <> 'text' OR typeof(status) <> 'text' OR NOT json_valid(document)",
  "SELECT 'step_runs' FROM step_runs WHERE typeof(id) <> 'text' OR typeof(step) <> 'text' OR NOT json_valid(document)",
  "SELECT 'claims' FROM claims WHERE typeof(run) <> 'text'",
  "SELECT 'cache_entries' FROM cache_entries WHERE typeof(entry) <> 'text'",
  "SELECT 'receipts' FROM receipts WHERE typeof(receipt) <> 'text'",
  "SELECT 'parts' FROM parts WHERE typeof(document) <> 'text'",
  "SELECT 'facts' FROM facts WHERE typeof(document) <> 'text'",
  "SELECT 'stat_files' FROM stat_files WHERE typeof(stamp) <> 'blob' OR typeof(digest) <> 'text'",
  "SELECT 'stat_trees' FROM stat_trees WHERE typeof(stamps) <> 'blob' OR typeof(digests) <> 'blob' OR typeof(names) <> 'text'",
];

/** The damage of a database that has nothing in it that could be put aside. */
const gone = "it is gone";

/**
 * What is wrong with the database as such, in words; nothing if it is whole. What rows say is judged elsewhere: most
 * of them carry a seal. A database of another version is left to whoever opens it.
 */
export function databaseDamage(layout: Layout): string | undefined {
  if (leadsNowhere(layout.database)) return "it is a link that leads nowhere";
  if (!existsSync(layout.database)) return hasRecords(layout) ? gone : undefined;
  const folder = folderInPlaceOf(layout.database);
  if (folder !== undefined) return folder;
  let database: DatabaseSync | undefined;
  try {
    database = connectForReading(layout.database);
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version === 0) {
      const tables = Number(database.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"]);
      if (tables > 0) return "its version is not that of its tables";
      // Made a moment ago by somebody who found that there are records, and left it to us.
      return hasRecords(layout) ? gone : undefined;
    }
    const found = database.prepare("PRAGMA integrity_check(3)").all();
    const problems = found.flatMap((row) =>
      row["integrity_check"] === "ok" ? [] : [String(row["integrity_check"])],
    );
    if (problems.length > 0) return problems.join("; ");
    for (const query of version === schemaVersion ? readable : []) {
      const bad = database.prepare(`${query} LIMIT 1`).get();
      if (bad !== undefined) return `rows of ${String(bad["name"] ?? Object.values(bad)[0])} cannot be read`;
    }
    return undefined;
  } catch (error) {
    if (ofTheMachine.has(primaryCode(error) ?? 0)) throw refusedBySystem(layout.database, error) ?? error;
    return error instanceof Error ? error.message : String(error);
  } finally {
    database?.close();
  }
}
