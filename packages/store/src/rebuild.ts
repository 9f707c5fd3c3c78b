import { StoredCacheEntries } from "./cache-entries.ts";
import { canonicalJson } from "./canonical.ts";
import { Database } from "./database.ts";
import { recordsPath, runsOnDisk, type Layout } from "./layout.ts";
import { StoredObjects } from "./objects.ts";
import { StoredParts } from "./parts.ts";
import { StoredReceipts } from "./receipts.ts";
import { readChain } from "./record-log.ts";
import { rowsOf, type RecordedRows } from "./record-rows.ts";

/** What was found in the records. */
export interface Rebuilt {
  readonly runs: number;
  readonly stepRuns: number;
  /** Results that can be hit again. */
  readonly entries: number;
}

/**
 * Makes a new database of objects and records. All of it is one transaction, the one that makes the tables: whoever is
 * killed in it leaves nothing behind, and nobody sees half of it. If there is a database already, nothing happens.
 *
 * The stat index and facts about code are no part of it: they are found out again.
 */
export function rebuildDatabase(layout: Layout): Rebuilt {
  const rebuilt = { runs: 0, stepRuns: 0, entries: 0 };
  const database = new Database(layout.database, {
    readonly: false,
    fill: () => {
      const recorded = runsOnDisk(layout).flatMap((run) => {
        const rows = rowsOf(readChain(recordsPath(layout, run)));
        // A folder with the records of another run would give rows twice.
        return rows === undefined || rows.run.id !== run ? [] : [rows];
      });
      for (const rows of recorded) {
        addRows(database, rows);
        rebuilt.runs++;
        rebuilt.stepRuns += rows.stepRuns.length;
      }
      rebuilt.entries = addResults(database, layout, recorded);
    },
  });
  try {
    database.get("PRAGMA user_version");
    return rebuilt;
  } finally {
    database.close();
  }
}

/** Adds what the records of one run say of it, in place of what is there. Inside a transaction. */
export function addRows(database: Database, { run, stepRuns, parts }: RecordedRows): void {
  database.run(
    "INSERT OR REPLACE INTO runs (id, pipeline, status, started_at, ended_at, head, document) VALUES (?, ?, ?, ?, ?, ?, ?)",
    run.id,
    run.pipeline,
    run.status,
    run.startedAt,
    run.endedAt,
    run.head,
    canonicalJson(run.document),
  );
  database.run("DELETE FROM step_runs WHERE run = ?", run.id);
  for (const row of stepRuns) {
    database.run(
      "INSERT OR REPLACE INTO step_runs (id, run, pipeline, step, kind, key, status, started_at, ended_at, preimage, document) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      row.id,
      run.id,
      row.pipeline,
      row.step,
      row.kind,
      row.key,
      row.status,
      row.startedAt,
      row.endedAt,
      row.preimage,
      canonicalJson(row.document),
    );
  }
  const kept = new StoredParts(database);
  for (const part of parts) kept.put(part);
  // Their records have them already.
  kept.takeFresh();
}

/** Adds cache entries whose objects are all there, and receipts: of each key and target the last. Inside a transaction. */
export function addResults(database: Database, layout: Layout, recorded: readonly RecordedRows[]): number {
  const objects = new StoredObjects(layout);
  const cache = new StoredCacheEntries(database);
  const receipts = new StoredReceipts(database, layout);
  // Runs go on side by side, so the order of runs is not that of results; ids of step runs are of the beginning.
  const entries = recorded
    .flatMap((rows) => rows.entries)
    .filter(({ entry }) => Object.values(entry.outputs).every((content) => objects.has(content)))
    .toSorted((a, b) => (a.entry.createdAt < b.entry.createdAt ? -1 : 1));
  for (const { key, entry } of entries) cache.put(key, entry);
  for (const receipt of recorded.flatMap((rows) => rows.receipts).toSorted((a, b) => (a.at < b.at ? -1 : 1)))
    receipts.put(receipt);
  return new Set(entries.map(({ key }) => key)).size;
}
