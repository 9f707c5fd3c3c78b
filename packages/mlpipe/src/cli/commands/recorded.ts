/** Finding a run among the records. */
import { MlpipeError } from "@mlpipe/dsl";
import { type RecordedRun, readRun, type Run, runOf } from "@mlpipe/provenance";
import type { Store } from "@mlpipe/store";
import { tombstoneOf } from "@mlpipe/store/maintenance";
import { localTime, shortId } from "../format.ts";

/**
 * A run by its id, the beginning of it, or `last`.
 * @throws MlpipeError MLP5001 if there is none
 */
export function recordedRun(store: Store, idOrPrefix: string): RecordedRun {
  const found = readRun(store, idOrPrefix);
  if (found !== undefined) return found;
  const tombstone = tombstoneOf(store.root, idOrPrefix);
  if (tombstone !== undefined) {
    const { run, pipeline, removedAt } = tombstone;
    throw new MlpipeError(
      "MLP5001",
      `Run ${shortId(run)} of ${pipeline} was removed by mlpipe gc at ${localTime(removedAt)}.`,
      { hint: "mlpipe runs lists the runs that are kept." },
    );
  }
  throw new MlpipeError(
    "MLP5001",
    idOrPrefix === "last" ? "Nothing has run here yet." : `There is no run ${idOrPrefix}.`,
    { hint: idOrPrefix === "last" ? "mlpipe run runs the pipeline." : "mlpipe runs lists the runs." },
  );
}

/** The newest runs, read one after the other: a record names every step, and most look no further than the last one. */
export function* newestRuns(store: Store, most: number): Generator<Run> {
  let before: string | undefined;
  for (let back = 0; back < most; back++) {
    const [row] = store.runs.list({ limit: 1, ...(before !== undefined && { before }) });
    if (row === undefined) return;
    yield runOf(row, []);
    before = row.id;
  }
}
