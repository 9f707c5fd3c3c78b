/** Whether the runs that are kept are all that there were, and the index over them says what they say. */
import { lstatSync } from "node:fs";
import { annotationsHead, annotationsPath } from "./annotations.ts";
import { text, type Database } from "./database.ts";
import { StoreError } from "./errors.ts";
import { recordsPath, type Layout } from "./layout.ts";
import { lineageAnew, lineageDamage } from "./lineage-tables.ts";
import { hasRecord, readRecords } from "./record-log.ts";
import { tombstones, tombstonesPath } from "./tombstones.ts";

/** A run that a later one names, and that is neither there nor was collected, or is there with another end. */
export interface MissingRun {
  readonly run: string;
  readonly namedBy: string;
  readonly isThere: boolean;
}

/**
 * Each run names the one before it and the digest of its last record. Records may have been added to that one since: it
 * was reproduced. Runs of earlier versions name none.
 */
export function missingRuns(database: Database, layout: Layout): readonly MissingRun[] {
  const buried = new Map(
    tombstones(layout).map(({ run, head, formerHeads = [] }) => [run, new Set([head, ...formerHeads])]),
  );
  return database
    .all(
      `SELECT later.id AS id, later.document ->> '$.prev.run' AS run, later.document ->> '$.prev.head' AS head,
              earlier.id IS NOT NULL AS is_there
         FROM runs AS later LEFT JOIN runs AS earlier ON earlier.id = later.document ->> '$.prev.run'
        WHERE json_valid(later.document) AND later.document ->> '$.prev.run' IS NOT NULL
          AND earlier.head IS NOT later.document ->> '$.prev.head'`,
    )
    .flatMap((row) => {
      const run = text(row, "run");
      const isThere = row["is_there"] === 1;
      const head = text(row, "head");
      // A database that has lost its last transactions knows an earlier end than the records have.
      const isAsNamed = isThere && hasRecord(recordsPath(layout, run), head);
      return isAsNamed || buried.get(run)?.has(head) === true
        ? []
        : [{ run, namedBy: text(row, "id"), isThere }];
    });
}

/** What is wrong with the files that stand beside the records of runs: what was collected, and what was said of runs. */
export function brokenChains(
  database: Database,
  layout: Layout,
): readonly { readonly path: string; readonly error: StoreError }[] {
  const heads = new Map([
    [tombstonesPath(layout), null],
    [annotationsPath(layout), annotationsHead(database)],
  ]);
  return [...heads].flatMap(([path, head]) => {
    if (head === null && lstatSync(path, { throwIfNoEntry: false }) === undefined) return [];
    try {
      readRecords(path, head);
      return [];
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return [{ path, error }];
    }
  });
}

/** A step run of which the index of lineage does not say what its document says. */
export function damagedLineage(database: Database): string | undefined {
  const row = database.get(lineageDamage);
  return row === undefined ? undefined : text(row, "step_run");
}

/** Makes the index anew, of the documents. */
export function repairLineage(database: Database): void {
  database.transaction(() => {
    for (const statement of lineageAnew) database.run(statement);
  });
}
