/** What made an artifact: the step runs behind it as a tree, down to what came from outside. */
import type { LineageLink, LineageStep } from "@mlpipe/store/lineage";
import { isOutside, placeKey, type Lineage } from "./lineage.ts";
import type { Ref, StepRun } from "./records.ts";

/** Something that a step run took. */
export interface TracedInput {
  readonly port: string;
  /** Of an input with many items, which. */
  readonly item?: string;
  readonly digest: string;
  /** A path of the project for sources. */
  readonly name: string;
  readonly size: number;
  /** The step run it was taken from; null for what came from outside. */
  readonly madeBy: string | null;
  /** How many other step runs made the same bytes in the same place. */
  readonly others: number;
}

/** A step run of the tree. */
export interface TracedStep {
  readonly step: LineageStep;
  readonly record: StepRun;
  readonly inputs: readonly TracedInput[];
}

/** What is behind some step runs. */
export interface Trace {
  /** By id, those that the records name as makers. */
  readonly tree: ReadonlyMap<string, TracedStep>;
  /** Further ones that made the same bytes, and what is behind them. */
  readonly others: readonly LineageStep[];
  /** What came from outside, by digest; without a name if only those others took it. */
  readonly sources: ReadonlyMap<string, Ref | undefined>;
}

/**
 * Follows the makers that records name; the rest of the lineage is told beside it.
 *
 * @param roots where to begin
 * @param recordOf the document of a step run
 */
export function traceOf(
  lineage: Lineage,
  roots: readonly string[],
  recordOf: (stepRun: string) => StepRun | undefined,
): Trace {
  const makers = new Makers(lineage);
  const tree = new Map<string, TracedStep>();
  const sources = new Map<string, Ref | undefined>();
  // Not recursive: pipelines may be long chains. What is added while it is walked is walked too.
  const open = [...roots];
  for (const id of open) {
    const step = lineage.steps.get(id);
    const record = tree.has(id) || step === undefined ? undefined : recordOf(id);
    if (step === undefined || record === undefined) continue;
    const inputs = (lineage.links.get(id) ?? [])
      .filter(({ role }) => role === "in")
      .flatMap((link) => tracedInput(link, step, record, makers));
    for (const { digest, madeBy, ref } of inputs) {
      if (madeBy === null) sources.set(digest, ref);
      else open.push(madeBy);
    }
    tree.set(id, { step, record, inputs: inputs.map(({ ref: _ref, ...input }) => input) });
  }
  for (const { role, artifact } of [...lineage.links.values()].flat()) {
    const isKnown = sources.has(artifact.digest) || role !== "in" || !isOutside(artifact);
    if (!isKnown && !makers.knows(artifact.digest)) sources.set(artifact.digest, undefined);
  }
  return { tree, others: [...lineage.steps.values()].filter(({ id }) => !tree.has(id)), sources };
}

function tracedInput(
  link: LineageLink,
  taker: LineageStep,
  record: StepRun,
  makers: Makers,
): readonly (TracedInput & { readonly ref: Ref })[] {
  const { port, item, artifact } = link;
  const input = record.inputs[port];
  const ref = item === "" ? input : input?.items?.[item];
  if (ref === undefined) return [];
  const named = item === "" ? input?.from?.stepRun : input?.items?.[item]?.stepRun;
  const found = makers.of(link, taker);
  const madeBy = found.find((id) => id === named) ?? found.at(-1) ?? null;
  const { name, size } = ref;
  const others = Math.max(0, found.length - 1);
  return [{ port, ...(item !== "" && { item }), digest: artifact.digest, name, size, madeBy, others, ref }];
}

/** Who in a lineage made what, oldest first. */
class Makers {
  readonly #steps: Lineage["steps"];
  readonly #byPlace = new Map<string, string[]>();
  readonly #byDigest = new Map<string, string[]>();

  constructor({ steps, links }: Lineage) {
    this.#steps = steps;
    for (const id of [...steps.keys()].toSorted()) {
      const all = links.get(id) ?? [];
      const taken = new Set(all.filter(({ role }) => role === "in").map(({ artifact }) => artifact.digest));
      for (const { role, artifact } of all) {
        if (role === "in") continue;
        if (role === "out") add(this.#byPlace, placeKey(artifact), id);
        if (!taken.has(artifact.digest)) add(this.#byDigest, artifact.digest, id);
      }
    }
  }

  knows(digest: string): boolean {
    return this.#byDigest.has(digest);
  }

  of({ artifact }: LineageLink, taker: LineageStep): readonly string[] {
    if (!isOutside(artifact)) return this.#byPlace.get(placeKey(artifact)) ?? [];
    return (this.#byDigest.get(artifact.digest) ?? []).filter(
      (id) => (this.#steps.get(id)?.endedAt ?? "~") <= taker.startedAt,
    );
  }
}

function add(map: Map<string, string[]>, key: string, id: string): void {
  const ids = map.get(key);
  if (ids === undefined) map.set(key, [id]);
  else ids.push(id);
}
