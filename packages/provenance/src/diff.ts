/** What differs between two runs, as far as their records say. */
import { isDigest, type Store } from "@mlpipe/store";
import { stepRunOf, type RecordedRun } from "./questions.ts";
import type { Run, StepRun } from "./records.ts";

/** A named thing that is not the same; absent on the side that does not have it. */
export interface Change {
  readonly name: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** A metric of both runs. */
export interface MetricChange {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly direction: "min" | "max";
  readonly verdict: "better" | "worse" | "same";
}

/** Data that is not the same: a source, or an output. */
export interface DataChange {
  readonly name: string;
  readonly step: string;
  readonly port: string;
  readonly before?: DataSide;
  readonly after?: DataSide;
}

export interface DataSide {
  readonly digest: string;
  readonly size: number;
  readonly type: string;
  readonly stepRun: string;
  /** What is inside, by digest among the store's parts. */
  readonly detail?: string | undefined;
}

/** The difference of two runs. */
export interface RunDiff {
  readonly params: readonly Change[];
  /** Steps that only one of them has, or that ended otherwise. */
  readonly steps: readonly Change[];
  /** Declarations and files, by `file#name`, as digests. */
  readonly code: readonly Change[];
  readonly packages: readonly Change[];
  /** Of the host and of what steps see. */
  readonly environment: readonly Change[];
  readonly sources: readonly DataChange[];
  readonly outputs: readonly DataChange[];
  readonly metrics: readonly (MetricChange | Change)[];
}

/** A run with the step runs that stand for its steps: its own, or those that its hits name. */
export interface Side {
  readonly run: Run;
  readonly stepRuns: ReadonlyMap<string, StepRun>;
}

/** Gathers a side. */
export function sideOf(store: Store, { run, stepRuns }: RecordedRun): Side {
  const own = new Map(stepRuns.map((stepRun) => [stepRun.id, stepRun]));
  const found = run.steps.flatMap(({ id, stepRun }): readonly (readonly [string, StepRun])[] => {
    if (stepRun === null) return [];
    const row = own.has(stepRun) ? undefined : store.runs.stepRun(stepRun);
    const record = own.get(stepRun) ?? (row === undefined ? undefined : stepRunOf(row));
    return record === undefined ? [] : [[id, record]];
  });
  return { run, stepRuns: new Map(found) };
}

/** Compares two runs. Times, ids and durations are no difference. */
export function diffRuns(store: Store, first: Side, second: Side): RunDiff {
  const [before, after] = [comparable(first, second), comparable(second, first)];
  const documents = (side: Side, digestOf: (stepRun: StepRun) => string | null | undefined): Flat =>
    merged([...side.stepRuns.values()].map((stepRun) => partOf(store, digestOf(stepRun))));
  const code = (side: Side): Flat =>
    merged(
      [...side.stepRuns.values()].map((stepRun) => {
        const document = partOf(store, stepRun.keyParts["code"]);
        return isObject(document) ? document["parts"] : undefined;
      }),
    );
  const host = (side: Side): Flat => flat(partOf(store, side.run.env), "host");
  const hosts: [Flat, Flat] = [host(before), host(after)];
  return {
    params: changes(flat(before.run.params), flat(after.run.params)),
    steps: changes(stepsOf(before), stepsOf(after)),
    code: changes(code(before), code(after)),
    packages: changes(
      documents(before, ({ keyParts }) => keyParts["packages"]),
      documents(after, ({ keyParts }) => keyParts["packages"]),
    ),
    environment: [
      ...changes(
        new Map([["mlpipe", before.run.tool.version]]),
        new Map([["mlpipe", after.run.tool.version]]),
      ),
      ...changes(
        documents(before, ({ env }) => env),
        documents(after, ({ env }) => env),
      ),
      // Of a run that executed nothing no host was recorded.
      ...(hosts.every(({ size }) => size > 0) ? changes(...hosts) : []),
    ],
    sources: dataChanges(sourcesOf(before), sourcesOf(after)),
    outputs: dataChanges(outputsOf(before), outputsOf(after)),
    metrics: metricChanges(before, after),
  };
}

type Flat = ReadonlyMap<string, unknown>;

function partOf(store: Store, digest: string | null | undefined): unknown {
  return digest != null && isDigest(digest) ? store.parts.get(digest) : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The leaves of a document by their paths; lists are leaves. */
function flat(document: unknown, prefix = ""): Flat {
  if (!isObject(document))
    return new Map(document === undefined || document === null ? [] : [[prefix, document]]);
  return new Map(
    Object.entries(document).flatMap(([name, value]) => {
      const path = prefix === "" ? name : `${prefix}.${name}`;
      return isObject(value) && Object.keys(value).length > 0
        ? [...flat(value, path)]
        : [[path, value] as const];
    }),
  );
}

/** Steps may differ in what they see: then a name has several values. */
function merged(documents: readonly unknown[]): Flat {
  const values = new Map<string, unknown[]>();
  for (const [name, value] of documents.flatMap((document) => [...flat(document)])) {
    const known = values.get(name) ?? [];
    if (!known.some((each) => isSame(each, value))) values.set(name, [...known, value]);
  }
  return new Map(
    [...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all.map(String).toSorted()]),
  );
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function changes(before: Flat, after: Flat): readonly Change[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .toSorted()
    .filter((name) => !before.has(name) || !after.has(name) || !isSame(before.get(name), after.get(name)))
    .map((name) => ({
      name,
      ...(before.has(name) && { before: before.get(name) }),
      ...(after.has(name) && { after: after.get(name) }),
    }));
}

/** What became of the steps; whether a result was made or taken from the cache is no difference. */
function stepsOf({ run }: Side): Flat {
  return new Map(
    run.steps.map(({ id, status }) => [id, status === "ran" || status === "cached" ? "done" : status]),
  );
}

/** Without the steps of the other run that this one has too, but did not come to: nothing is known of those. */
function comparable(side: Side, other: Side): Side {
  const unreached = new Set(other.run.steps.flatMap(({ id, stepRun }) => (stepRun === null ? [id] : [])));
  return { ...side, stepRuns: new Map([...side.stepRuns].filter(([id]) => !unreached.has(id))) };
}

type Data = ReadonlyMap<string, Omit<DataChange, "before" | "after"> & { readonly side: DataSide }>;

/** What came from outside, by step and port: a path may be that of another file later. */
function sourcesOf({ stepRuns }: Side): Data {
  return new Map(
    [...stepRuns].flatMap(([step, { id, inputs }]) =>
      Object.entries(inputs).flatMap(([port, { name, digest, size, type, from, detail }]) =>
        type === "value" || from !== undefined
          ? []
          : [
              [
                `${step}.${port}`,
                { name, step, port, side: { digest, size, type, stepRun: id, detail } },
              ] as const,
            ],
      ),
    ),
  );
}

function outputsOf({ stepRuns }: Side): Data {
  return new Map(
    [...stepRuns].flatMap(([step, { id, outputs }]) =>
      Object.entries(outputs).map(([port, { digest, size, type }]) => {
        const name = `${step}.${port}`;
        return [name, { name, step, port, side: { digest, size, type, stepRun: id } }] as const;
      }),
    ),
  );
}

function dataChanges(before: Data, after: Data): readonly DataChange[] {
  return [...new Set([...before.keys(), ...after.keys()])].toSorted().flatMap((key) => {
    const [was, is] = [before.get(key), after.get(key)];
    const either = is ?? was;
    if (either === undefined || was?.side.digest === is?.side.digest) return [];
    const { name, step, port } = either;
    return [
      {
        name,
        step,
        port,
        ...(was !== undefined && { before: was.side }),
        ...(is !== undefined && { after: is.side }),
      },
    ];
  });
}

function metricChanges(before: Side, after: Side): readonly (MetricChange | Change)[] {
  const metricsOf = ({ stepRuns }: Side): ReadonlyMap<string, StepRun["metrics"][number]> =>
    new Map(
      [...stepRuns].flatMap(([step, { metrics }]) =>
        metrics.map((metric) => [`${step}.${metric.name}`, metric]),
      ),
    );
  const [all, now] = [metricsOf(before), metricsOf(after)];
  return [...new Set([...all.keys(), ...now.keys()])].toSorted().map((name) => {
    const [was, is] = [all.get(name), now.get(name)];
    if (was === undefined || is === undefined) {
      return {
        name,
        ...(was !== undefined && { before: was.value }),
        ...(is !== undefined && { after: is.value }),
      };
    }
    const gain = is.direction === "max" ? is.value - was.value : was.value - is.value;
    const verdict = gain > 0 ? "better" : gain < 0 ? "worse" : "same";
    return { name, before: was.value, after: is.value, direction: is.direction, verdict };
  });
}

export { sourceText, unifiedDiff, type SourceText } from "./source-text.ts";
