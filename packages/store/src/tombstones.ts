import { join } from "node:path";
import type { Layout } from "./layout.ts";
import { layoutOf } from "./layout.ts";
import { RecordLog, readChain } from "./record-log.ts";

/** What stays of a run whose records were collected: that it was, and the head of its chain. */
export interface Tombstone {
  readonly run: string;
  readonly pipeline: string;
  readonly status: string;
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** Digest of the last line of its records: by it a copy kept elsewhere can still be told from a forgery. */
  readonly head: string | null;
  /** Of a run that was reproduced: what had been the last line before, which runs of that time name. */
  readonly formerHeads?: readonly string[];
  /** ISO 8601. */
  readonly removedAt: string;
}

/** Adds tombstones, durable when it returns. They lie in a file and not in the database, which may have to be rebuilt. */
export function addTombstones(layout: Layout, tombstones: readonly Tombstone[]): void {
  if (tombstones.length === 0) return;
  const log = new RecordLog(tombstonesPath(layout));
  try {
    for (const tombstone of tombstones) log.append({ type: "tombstone", ...tombstone });
    log.settle();
  } finally {
    log.close();
  }
}

/** The runs that were collected, in the order in which they were. */
export function tombstones(layout: Layout): readonly Tombstone[] {
  return readChain(tombstonesPath(layout)).records.flatMap((record) =>
    // Written by `addTombstones` alone, and the chain holds.
    record["type"] === "tombstone" ? [record as unknown as Tombstone] : [],
  );
}

/** The tombstone of a run by its id or the beginning of it. */
export function tombstoneOf(root: string, idOrPrefix: string): Tombstone | undefined {
  return tombstones(layoutOf(root)).findLast(({ run }) => run.startsWith(idOrPrefix));
}

/** Where they lie. */
export function tombstonesPath(layout: Layout): string {
  return join(layout.runs, "tombstones.jsonl");
}
