/** Runs whose records the database does not know: it was replaced, or lost its last rows. */
import { canonicalJson } from "./canonical.ts";
import type { Database } from "./database.ts";
import type { Digest } from "./digest.ts";
import { recordsPath, runsOnDisk, type Layout } from "./layout.ts";
import { addResults, addRows } from "./rebuild.ts";
import { readChain } from "./record-log.ts";
import { rowsOf, type RecordedRows } from "./record-rows.ts";
import { runsAlive } from "./tending.ts";
import { tombstones } from "./tombstones.ts";

/** What the records of such a run say; nothing if they say nothing of it. */
export function foreignRows(layout: Layout, run: string): RecordedRows | undefined {
  const rows = rowsOf(readChain(recordsPath(layout, run)));
  return rows?.run.id === run ? rows : undefined;
}

/** Adds such a run and those of its results that are still there. Not one that has written its rows a moment ago. */
export function takeIn(database: Database, layout: Layout, rows: RecordedRows): void {
  database.transaction(() => {
    if (database.get("SELECT 1 FROM runs WHERE id = ?", rows.run.id) !== undefined) return;
    addRows(database, rows);
    // Not over what was kept since.
    const isNew = ({ key }: { readonly key: Digest }): boolean =>
      database.get("SELECT key FROM cache_entries WHERE key = ?", key) === undefined;
    addResults(database, layout, [{ ...rows, entries: rows.entries.filter(isNew), receipts: [] }]);
  });
}

/** Takes in all such runs, unless they are executing or were collected. Returns how many there were. */
export function takeInForeignRuns(database: Database, layout: Layout): number {
  const onDisk = runsOnDisk(layout);
  const known = new Set(
    database
      .texts(
        "SELECT r.id FROM json_each(?) AS asked CROSS JOIN runs AS r ON r.id = asked.value",
        canonicalJson(onDisk),
      )
      .flat(),
  );
  const foreign = onDisk.filter((run) => !known.has(run));
  if (foreign.length === 0) return 0;
  const spared = new Set([...runsAlive(layout), ...tombstones(layout).map(({ run }) => run)]);
  let count = 0;
  for (const run of foreign) {
    const rows = spared.has(run) ? undefined : foreignRows(layout, run);
    if (rows === undefined) continue;
    takeIn(database, layout, rows);
    count++;
  }
  return count;
}
