/**
 * What a step was before: its earlier step runs, and what of its key differs from theirs. Asked only
 * for steps that would run, or whose reason somebody wants to know.
 */
import { type Binding, type KindSpec, type Manifest, type ManifestStep } from "@mlpipe/dsl";
import { type Content, type Digest, isDigest, type StepRunRow, type Store } from "@mlpipe/store";
import {
  describeChange,
  describeRows,
  detailOf,
  type InputDetail,
  keptDetail,
  type Readable,
} from "./input-detail.ts";
import { innermost } from "./inputs.ts";
import type { Preimage, Reason, ResolvedInput } from "./plan.ts";
import { compare, documentsOf } from "./reasons.ts";
import type { StepGraph } from "./step-graph.ts";

/** A step as it is now. */
export interface StepNow {
  readonly step: ManifestStep;
  readonly parts: Preimage;
  readonly inputs: Readonly<Record<string, ResolvedInput>>;
}

/** How many of the latest runs are searched for what a step may have been called before. */
const runsBack = 5;

/** How many parts of a key another step must share to be taken for the same one renamed. */
const sharedParts = 3;

/** Every new step is compared with each of so many at most: where all were renamed, nobody asks after one. */
const mostGone = 100;

interface GoneStep {
  readonly row: Pick<StepRunRow, "id" | "kind" | "step">;
  readonly preimage: Preimage;
}

/** A record names every step of its run. It is read whole for those who ask after more steps than this. */
const askedSingly = 3;

/** What a run had results of. */
interface ResultsUsed {
  /** Nothing where there is no such run. */
  readonly run: string | undefined;
  /** Step runs by step. */
  readonly results: ReadonlyMap<string, string>;
}

export class History {
  readonly #store: Store;
  readonly #manifest: Manifest;
  readonly #graph: StepGraph;
  readonly #documents: ReadonlyMap<Digest, unknown>;
  /** After how many steps was asked so far. */
  #asked = 0;
  /** Of the latest runs, newest first, as far as somebody had to look. */
  readonly #used: ResultsUsed[] = [];
  /** Whether no step of the pipeline had run when somebody first asked for one. */
  #isNew: boolean | undefined;
  #gone: readonly GoneStep[] | undefined;
  readonly #params = new Map<string, unknown>();

  /** @param documents of this session, which the store may not hold yet */
  constructor(store: Store, manifest: Manifest, graph: StepGraph, documents: ReadonlyMap<Digest, unknown>) {
    this.#store = store;
    this.#manifest = manifest;
    this.#graph = graph;
    this.#documents = documents;
  }

  /** Why a step has no kept result under its key. */
  whatChanged(now: StepNow, key: Digest): readonly Reason[] {
    const { id } = now.step;
    const { runs } = this.#store;
    const { pipeline } = this.#manifest;
    // Of a pipeline that never ran nobody asks for each of its steps.
    this.#isNew ??= !runs.hasStepRuns(pipeline);
    const last = this.#isNew ? undefined : runs.latestStepRun(pipeline, id);
    if (last === undefined) return this.#neverBefore(now);
    if (last.key === key && last.status !== "ran") {
      return [{ part: "none-before", name: id, message: `did not succeed last time (${last.status})` }];
    }
    const succeeded = this.lastUsed(id) ?? last;
    if (succeeded.key === key) {
      if (wasKept(succeeded)) return [gone(id, "its result is")];
      return [{ part: "missing", name: id, message: "its last result was not kept" }];
    }
    const reasons = this.against(succeeded, now);
    if (reasons === undefined) return [gone(id, "what it was made of is")];
    return reasons.length > 0 ? reasons : [gone(id, "its result is")];
  }

  /**
   * The step run whose result the latest run with one used: made by that run, or taken from the
   * cache. What was executed last may be older news: A, then B, then A again compares with A.
   */
  lastUsed(step: string): StepRunRow | undefined {
    const { runs } = this.#store;
    const used = this.#lastUsedBy(step);
    return (
      (used === undefined ? undefined : runs.stepRun(used)) ??
      runs.latestStepRun(this.#manifest.pipeline, step, "ran")
    );
  }

  /** The step run of the latest of a few runs that had a result of a step. Few look further back than one run. */
  #lastUsedBy(step: string): string | undefined {
    this.#asked++;
    if (this.#asked <= askedSingly) return this.#lastUsedByOne(step);
    for (let back = 0; back < runsBack; back++) {
      this.#used[back] ??= this.#resultsUsed(this.#used[back - 1]?.run);
      const { run, results } = this.#used[back] ?? {};
      const found = results?.get(step);
      if (found !== undefined || run === undefined) return found;
    }
    return undefined;
  }

  #lastUsedByOne(step: string): string | undefined {
    let before: string | undefined;
    for (let back = 0; back < runsBack; back++) {
      const last = this.#store.runs.latestOutcome(this.#manifest.pipeline, step, before);
      if (last === undefined) return undefined;
      const used = resultUsed(last.outcome as Partial<RecordedOutcome> | undefined);
      if (used !== undefined) return used;
      before = last.run;
    }
    return undefined;
  }

  /** What the newest run before another one used. */
  #resultsUsed(before: string | undefined): ResultsUsed {
    const { pipeline } = this.#manifest;
    const [run] = this.#store.runs.list({ pipeline, limit: 1, ...(before !== undefined && { before }) });
    // Records are written by the recorder alone; what an older one lacks reads as undefined.
    const { steps = [] } = (run?.document ?? {}) as { readonly steps?: readonly RecordedOutcome[] };
    const results = new Map<string, string>();
    for (const outcome of steps) {
      const used = resultUsed(outcome);
      if (used !== undefined) results.set(outcome.id, used);
    }
    return { run: run?.id, results };
  }

  /** What differs from a step run; nothing if what it was made of is no longer kept. */
  against(row: StepRunRow, now: StepNow): readonly Reason[] | undefined {
    const preimage = this.#preimageOf(row);
    if (preimage === undefined) return undefined;
    const kept = documentsOf(this.#store);
    return compare(
      {
        preimage: onlyPorts(preimage, now.parts),
        document: kept,
        params: () => this.#paramsOf(row.run),
      },
      {
        preimage: now.parts,
        document: (digest) => this.#documents.get(digest) ?? kept(digest),
        params: () => this.#manifest.params,
      },
      { inputs: now.inputs, changeOf: (port) => this.#changeOf(port, row, now) },
    );
  }

  /** The params of a run, by its record. A record names every step of its run: it is read once, and not for each of them. */
  #paramsOf(run: string): unknown {
    if (this.#params.has(run)) return this.#params.get(run);
    const document = this.#store.runs.get(run)?.document;
    const params =
      typeof document === "object" && document !== null && "params" in document ? document.params : undefined;
    this.#params.set(run, params);
    return params;
  }

  /** A step that is new, or that had another name: what shares most of its key was probably it. */
  #neverBefore(now: StepNow): readonly Reason[] {
    const { id } = now.step;
    const never: Reason = { part: "none-before", name: id, message: "never ran before" };
    let nearest: { readonly id: string; readonly shared: number } | undefined;
    this.#gone ??= this.#goneSteps();
    for (const { row, preimage } of this.#gone) {
      if (row.kind !== now.step.kind || this.#graph.step(row.step) !== undefined) continue;
      // The items of a list come and go, and one is not another renamed: a child is looked for under its own item.
      if (now.step.template !== undefined && itemOf(row.step) !== itemOf(id)) continue;
      const shared = sharedBetween(preimage, now.parts);
      if (shared >= sharedParts && shared > (nearest?.shared ?? 0)) nearest = { id: row.id, shared };
    }
    const found = nearest && this.#store.runs.stepRun(nearest.id);
    if (found === undefined) return [never];
    const { step } = found;
    const message = `never ran under this name; the nearest is ${step}, and this differs from it`;
    return [{ ...never, before: step, message }, ...(this.against(found, now) ?? [])];
  }

  /** Executions of the latest runs whose steps the pipeline does not have any more. */
  #goneSteps(): readonly GoneStep[] {
    const gone: GoneStep[] = [];
    for (const run of this.#store.runs.list({ pipeline: this.#manifest.pipeline, limit: runsBack })) {
      for (const row of this.#store.runs.succeeded(run.id)) {
        if (this.#graph.step(row.step) !== undefined) continue;
        const preimage = this.#preimageOf(row);
        if (preimage !== undefined) gone.push({ row, preimage });
        if (gone.length === mostGone) return gone;
      }
    }
    return gone;
  }

  #preimageOf({ preimage }: Pick<StepRunRow, "preimage">): Preimage | undefined {
    // A part under the digest of a preimage was put there by `Planner.keep`.
    return preimage === null ? undefined : (this.#store.parts.get(preimage) as Preimage | undefined);
  }

  /** How the content of a port differs from that in a step run, in words. */
  #changeOf(port: string, row: StepRunRow, { step, inputs }: StepNow): string | undefined {
    const declared = step.inputs[port];
    const input = inputs[port];
    const before = recordedInput(row, port);
    if (declared === undefined || input === undefined || before === undefined) return undefined;
    if (input.type === "many") return itemsChange(before.items, declared.from);
    if (input.type !== "object" && input.type !== "source") return undefined;
    const kind = innermost(declared.kind);
    const after = this.#readable(input);
    if (after === undefined || before.content === undefined) return undefined;
    const { objects } = this.#store;
    if (before.content.type === "file" && after.content.type === "file" && objects.has(before.content)) {
      const rows = describeRows(objects.pathOf(before.content), after.path, kind);
      if (rows !== undefined) return rows;
    }
    const was = this.#detailBefore(before, kind);
    const is = was && detailOf(after, kind);
    if (was === undefined || is === undefined) return undefined;
    return (
      describeChange(was, is) ?? (is.type === "rows" ? `rows changed (${is.rows} as before)` : undefined)
    );
  }

  #detailBefore({ content, detail }: RecordedInput, kind: KindSpec): InputDetail | undefined {
    // A document under the digest of a detail was put there by `Planner.keep`.
    if (detail !== undefined) return this.#store.parts.get(detail) as InputDetail | undefined;
    return content && keptDetail(this.#store, content, kind);
  }

  #readable(input: ResolvedInput & { readonly type: "object" | "source" }): Readable | undefined {
    const { content } = input;
    if (input.type === "source") return { content, path: input.absolute };
    return this.#store.objects.has(content)
      ? { content, path: this.#store.objects.pathOf(content) }
      : undefined;
  }
}

/** What the record of a run tells of a step. */
interface RecordedOutcome {
  readonly id: string;
  readonly status: string;
  readonly stepRun: string | null;
}

/** The step run whose result a step had in a run. */
function resultUsed({ status, stepRun }: Partial<RecordedOutcome> = {}): string | undefined {
  return status === "ran" || status === "cached" ? (stepRun ?? undefined) : undefined;
}

/** What a record tells of an input. */
interface RecordedInput {
  readonly content?: Content;
  readonly detail?: Digest;
  /** Keys of a `many`. */
  readonly items: readonly string[];
}

function recordedInput({ document }: StepRunRow, port: string): RecordedInput | undefined {
  // Records are written by the executor alone; what an older one lacks reads as undefined.
  const { inputs } = document as {
    readonly inputs?: Readonly<
      Record<
        string,
        {
          readonly type: string;
          readonly digest: string;
          readonly size: number;
          readonly entries?: number;
          readonly detail?: string;
          readonly items?: Readonly<Record<string, unknown>>;
        }
      >
    >;
  };
  const ref = inputs?.[port];
  if (ref === undefined) return undefined;
  const { type, digest, size, entries, detail, items = {} } = ref;
  return {
    ...((type === "file" || type === "tree") &&
      isDigest(digest) && { content: { type, digest, size, ...(entries !== undefined && { entries }) } }),
    ...(detail !== undefined && isDigest(detail) && { detail }),
    items: Object.keys(items),
  };
}

function itemsChange(before: readonly string[], binding: Binding): string | undefined {
  if (binding.type !== "many") return undefined;
  const now = binding.items.map(({ key }) => key);
  const added = now.filter((key) => !before.includes(key));
  const removed = before.filter((key) => !now.includes(key));
  const say = (keys: readonly string[], what: string): readonly string[] =>
    keys.length === 0
      ? []
      : [keys.length <= 3 ? `${keys.join(", ")} ${what}` : `${keys.length} items ${what}`];
  const parts = [...say(added, "added"), ...say(removed, "removed")];
  return parts.length === 0 ? undefined : parts.join("; ");
}

function sharedBetween(before: Preimage, now: Preimage): number {
  const parts = ["contract", "code", "packages", "environment"] as const;
  const equal = parts.filter((part) => before[part] === now[part]).length;
  const ports = Object.keys(now.inputs);
  const sameInputs = ports.filter((port) => before.inputs[port] === now.inputs[port]).length;
  return equal + (ports.length === 0 ? 0 : sameInputs / ports.length);
}

/** The keys of items in a step's id: `[a][b]` of `fit[a][b]`. */
function itemOf(id: string): string {
  const at = id.indexOf("[");
  return at === -1 ? "" : id.slice(at);
}

/** Whether a step run's result was kept at all: the run itself may have shown that it must not be. */
function wasKept({ document }: StepRunRow): boolean {
  // Records are written by the recorder alone.
  const { cache } = document as { readonly cache?: { readonly kept?: boolean } };
  return cache?.kept !== false;
}

function gone(step: string, what: string): Reason {
  return { part: "missing", name: step, message: `${what} no longer in the store` };
}

/** An earlier preimage without the inputs that are not known now: nothing can be said of those. */
function onlyPorts(before: Preimage, now: Preimage): Preimage {
  const inputs = Object.fromEntries(
    Object.entries(before.inputs).filter(([port]) => Object.hasOwn(now.inputs, port)),
  );
  return { ...before, inputs };
}
