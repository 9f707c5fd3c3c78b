/** The runs of a pipeline up to one of them: what a metric or a param was before. */
import { type Run, runOf } from "@mlpipe/provenance";
import type { Store } from "@mlpipe/store";

/** So many runs tell how things went. */
const mostRuns = 40;

/** What of a run is compared with others. */
export interface HistoricRun {
  readonly id: string;
  readonly startedAt: string;
  readonly status: Run["status"];
  /** By name, as `scheduler.lr` where params lie in params. */
  readonly params: ReadonlyMap<string, unknown>;
  /** By `step.metric`. */
  readonly metrics: ReadonlyMap<string, number>;
}

/**
 * The run with those before it, the oldest first. Those after it are left out: a report says the same whenever it is
 * made.
 */
export function historyOf(store: Store, run: Run): readonly HistoricRun[] {
  const before = store.runs
    .list({ pipeline: run.pipeline.name, before: run.id, limit: mostRuns - 1 })
    .map((row) => runOf(row, []))
    .filter(({ status }) => status !== "running")
    .toReversed();
  return [...before, run].map(({ id, startedAt, status, params, steps }) => ({
    id,
    startedAt,
    status,
    params: flatParams(params),
    metrics: new Map(
      steps.flatMap((step) =>
        Object.entries(step.metrics ?? {}).map(([name, value]) => [`${step.id}.${name}`, value] as const),
      ),
    ),
  }));
}

/** Params by name; those in objects by their path. */
function flatParams(params: unknown, path = ""): ReadonlyMap<string, unknown> {
  if (typeof params !== "object" || params === null || Array.isArray(params))
    return new Map(path === "" ? [] : [[path, params]]);
  return new Map(
    Object.entries(params).flatMap(([name, value]: [string, unknown]) => [
      ...flatParams(value, path === "" ? name : `${path}.${name}`),
    ]),
  );
}
