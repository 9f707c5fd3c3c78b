/** What an export is made of: a run with the executions that its records lead to, those of earlier runs included. */
import type { KindSpec } from "@mlpipe/dsl";
import { isDigest, type Store } from "@mlpipe/store";
import { readRun, stepRunOf } from "../questions.ts";
import type { Run, StepRun } from "../records.ts";

/** A run as exports see it. */
export interface ExportedRun {
  readonly run: Run;
  /** In the order of the pipeline. */
  readonly steps: readonly ExportedStep[];
  /** The document of the host that executed steps of this run; nothing if none was executed. */
  readonly host: Readonly<Record<string, unknown>> | undefined;
}

/** What became of a step, and the execution that made its outputs. */
export interface ExportedStep {
  readonly id: string;
  readonly kind: Run["steps"][number]["kind"];
  readonly status: Run["steps"][number]["status"];
  /** The execution: of this run, or of the earlier one that a hit names. Nothing for a step that was not reached. */
  readonly stepRun: StepRun | undefined;
  /** Whether the execution belongs to an earlier run. */
  readonly isReused: boolean;
  readonly inputKinds: Readonly<Record<string, KindSpec>>;
  readonly outputKinds: Readonly<Record<string, KindSpec>>;
  /** Versions by name: `{ zod: "4.6.7+4b1f54122833bba0" }`. */
  readonly packages: Readonly<Record<string, string>>;
  /** The keyed environment: platform, language and its version. */
  readonly environment: Readonly<Record<string, unknown>>;
  /** What is inside of a source, by the digest that the record of its input names. */
  detail(digest: string | undefined): InputDetail | undefined;
}

/** Rows and columns, or files, of a source. */
export type InputDetail =
  | { readonly type: "rows"; readonly rows: number; readonly columns: readonly string[] }
  | { readonly type: "files"; readonly files: Readonly<Record<string, string>> };

/**
 * Reads a run by its id, the beginning of it, or `last`, with all that exports need.
 * @returns nothing if there is no such run
 */
export function exportedRun(store: Store, idOrPrefix: string): ExportedRun | undefined {
  const found = readRun(store, idOrPrefix);
  if (found === undefined) return undefined;
  const { run, stepRuns } = found;
  const own = new Map(stepRuns.map((stepRun) => [stepRun.id, stepRun]));
  const made = new Map(stepRuns.map((stepRun) => [stepRun.step.id, stepRun]));
  const steps = run.steps.map(({ id, kind, status, stepRun: named }) => {
    const stepRun = named === null ? made.get(id) : (own.get(named) ?? earlier(store, named));
    return exportedStep(store, { id, kind, status }, stepRun, run.id);
  });
  // A run that still goes on has no list of its steps yet.
  const going = run.status === "running" ? stepRuns : [];
  return {
    run,
    steps: [
      ...steps,
      ...going.map((stepRun) =>
        exportedStep(
          store,
          { id: stepRun.step.id, kind: stepRun.step.kind, status: stepRun.status },
          stepRun,
          run.id,
        ),
      ),
    ],
    host: run.env === null ? undefined : object(part(store, run.env)),
  };
}

/** A step with its execution, and what the store keeps of the parts of its key. */
export function exportedStep(
  store: Store,
  outcome: Pick<ExportedStep, "id" | "kind" | "status">,
  stepRun: StepRun | undefined,
  run: string,
): ExportedStep {
  const contract = object(part(store, stepRun?.keyParts["contract"]));
  return {
    ...outcome,
    stepRun,
    isReused: stepRun !== undefined && stepRun.run !== run,
    // The planner wrote the contract, out of a manifest.
    inputKinds: object(contract?.["inputs"]) as Readonly<Record<string, KindSpec>>,
    outputKinds: object(contract?.["outputs"]) as Readonly<Record<string, KindSpec>>,
    packages: texts(part(store, stepRun?.keyParts["packages"])),
    environment: object(part(store, stepRun?.env)),
    // A document under the digest of a detail was put there by the planner.
    detail: (digest) => part(store, digest) as InputDetail | undefined,
  };
}

function earlier(store: Store, id: string): StepRun | undefined {
  const row = store.runs.stepRun(id);
  return row === undefined ? undefined : stepRunOf(row);
}

function part(store: Store, digest: string | null | undefined): unknown {
  return typeof digest === "string" && isDigest(digest) ? store.parts.get(digest) : undefined;
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  // Whatever is in it is looked at as unknown.
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function texts(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(object(value)).flatMap(([name, text]) => (typeof text === "string" ? [[name, text]] : [])),
  );
}
