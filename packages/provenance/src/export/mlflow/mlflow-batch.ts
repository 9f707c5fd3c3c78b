/** What is logged of a run, in requests that a server takes. */

/** A param or a tag. */
export interface MlflowText {
  readonly key: string;
  readonly value: string;
}

/** A metric of a moment. */
export interface MlflowMetric {
  readonly key: string;
  /** MLflow's JSON has no other way to say that a number is none. */
  readonly value: number | "NaN" | "Infinity" | "-Infinity";
  /** Milliseconds. */
  readonly timestamp: number;
  readonly step: number;
  /** The model that was measured. */
  readonly model_id?: string;
}

/** The body of `runs/log-batch`, without the run. */
export interface MlflowBatch {
  readonly params: readonly MlflowText[];
  readonly metrics: readonly MlflowMetric[];
  readonly tags: readonly MlflowText[];
}

const most = { params: 100, tags: 100, metrics: 1_000, all: 1_000 };

/** A request may have a million characters. */
const mostCharacters = 900_000;

/** Splits what there is to log into as few requests as the limits allow: none if there is nothing. */
export function mlflowBatches({ params, metrics, tags }: MlflowBatch): readonly MlflowBatch[] {
  const batches: { params: MlflowText[]; metrics: MlflowMetric[]; tags: MlflowText[] }[] = [];
  let used = 0;
  const add = <Kind extends keyof MlflowBatch>(kind: Kind, entity: MlflowBatch[Kind][number]): void => {
    const characters = lengthOf(entity);
    let last = batches.at(-1);
    if (
      last === undefined ||
      used + characters > mostCharacters ||
      last[kind].length >= most[kind] ||
      last.params.length + last.metrics.length + last.tags.length >= most.all
    ) {
      batches.push((last = { params: [], metrics: [], tags: [] }));
      used = 0;
    }
    used += characters;
    // An entity of a kind belongs to the list of that kind.
    (last[kind] as MlflowBatch[Kind][number][]).push(entity);
  };
  for (const tag of tags) add("tags", tag);
  for (const param of params) add("params", param);
  for (const metric of metrics) add("metrics", metric);
  return batches;
}

/** A server may write what it was sent in ASCII before it counts: six characters for each that is not. */
function lengthOf(entity: MlflowText | MlflowMetric): number {
  const json = JSON.stringify(entity);
  return json.length + 2 + 5 * (json.match(/[^\x20-\x7e]/g)?.length ?? 0);
}
