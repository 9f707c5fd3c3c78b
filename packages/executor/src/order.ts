/** The order of what is left of a run: by the time that steps took before. */
import type { ManifestStep } from "@mlpipe/dsl";
import type { Planner } from "@mlpipe/planner";
import type { Store } from "@mlpipe/store";
import { type Amounts, Pools } from "./pools.ts";
import { Schedule } from "./schedule.ts";

/**
 * The schedule of steps that may have to run.
 * @param left every step that is not settled
 * @throws MlpipeError MLP3037 for a step that no pool could ever hold
 */
export function scheduleOf(
  left: readonly ManifestStep[],
  given: {
    readonly pipeline: string;
    readonly planner: Planner;
    readonly store: Store;
    readonly root: string;
    readonly pools: Amounts;
    readonly env: NodeJS.ProcessEnv;
  },
): Schedule {
  const pools = Pools.of(left, given.pools, given.env);
  pools.checkRoom(left, given.root);
  // The order of one step needs no history.
  const ids = left.length < 2 ? [] : left.map(({ id }) => id);
  const durations =
    ids.length === 0 ? new Map<string, number>() : given.store.runs.durations(given.pipeline, ids);
  const usual = median([...durations.values()]) ?? 1;
  return new Schedule({
    steps: left,
    needs: (step) => given.planner.needs(step),
    pools,
    durationOf: (step) => durations.get(step) ?? usual,
  });
}

function median(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
