/** Reading records back. */
import type { RunRow, StepRunRow, Store } from "@mlpipe/store";
import type { Run, StepRun } from "./records.ts";

/** A run with the step runs it made. */
export interface RecordedRun {
  readonly run: Run;
  readonly stepRuns: readonly StepRun[];
}

/**
 * A run by its id, the beginning of it, or `last`. A run whose process is gone without an end is
 * `crashed`, with the steps that it got done.
 */
export function readRun(store: Store, idOrPrefix: string): RecordedRun | undefined {
  const row = store.runs.get(idOrPrefix);
  if (row === undefined) return undefined;
  const stepRuns = store.runs.stepRuns(row.id).map(stepRunOf);
  return { run: runOf(row, stepRuns), stepRuns };
}

/** The document of a run. */
export function runOf(row: RunRow, stepRuns: readonly StepRun[]): Run {
  // Rows are written by the recorder alone; a record of a later version has more fields, never fewer.
  const run = row.document as Run;
  if (row.status !== "crashed") return run;
  return {
    ...run,
    status: "crashed",
    steps: stepRuns.map((stepRun) => ({
      id: stepRun.step.id,
      kind: stepRun.step.kind,
      status: stepRun.status,
      key: stepRun.key,
      stepRun: stepRun.id,
      reasons: stepRun.cache.reasons,
      durationMs: Date.parse(stepRun.endedAt) - Date.parse(stepRun.startedAt),
      outputs: Object.fromEntries(
        Object.entries(stepRun.outputs).map(([port, { digest, size, type }]) => [
          port,
          { digest, size, type: type === "tree" ? ("tree" as const) : ("file" as const) },
        ]),
      ),
    })),
  };
}

/** The document of a step run. */
export function stepRunOf(row: StepRunRow): StepRun {
  // As above.
  return row.document as StepRun;
}
