/** What is known of one model of a run: what made it, out of what, how it was judged, and where it went. */
import { MlpipeError } from "@mlpipe/dsl";
import type { StepRun } from "../records.ts";
import { type Artifact, type Consumed, inputsOf, makersOf, outputsOf } from "./artifact.ts";
import type { ExportedRun, ExportedStep } from "./exported-run.ts";

/** A step that was executed. */
export type ExecutedStep = ExportedStep & { readonly stepRun: StepRun };

/** A model and its history. */
export interface ModelHistory {
  readonly model: Artifact;
  readonly maker: ExecutedStep;
  /** What it was trained on, as the step that made it read it. */
  readonly datasets: readonly Consumed[];
  /** The steps it came out of, itself last. */
  readonly ancestors: readonly ExecutedStep[];
  /** Where all of it began. */
  readonly sources: readonly Consumed[];
  readonly evaluations: readonly Evaluation[];
  /** Gates that looked at it. */
  readonly gates: readonly ExecutedStep[];
  /** Deploys that took it. */
  readonly deployments: readonly ExecutedStep[];
}

/** Metrics of the model by a step that measured it. */
export interface Evaluation {
  readonly step: ExecutedStep;
  readonly metrics: StepRun["metrics"];
  /** What it was measured on. */
  readonly datasets: readonly Consumed[];
}

/**
 * The history of a model: of the one that is named, else of the one that was deployed, else of the one that was
 * returned, else of the only one.
 *
 * @param named `STEP.PORT`
 * @throws MlpipeError MLP5010 if there is none, MLP5015 if there are several
 */
export function modelHistory(exported: ExportedRun, named?: string): ModelHistory {
  const steps = exported.steps.filter(isExecuted);
  const makerOf = makersOf(exported);
  const inputs = new Map(steps.map((step) => [step.id, inputsOf(step, makerOf)]));
  const reads = (step: ExecutedStep): readonly Consumed[] => inputs.get(step.id) ?? [];
  const model = chosenModel(exported, steps, reads, named);
  const maker = steps.find(({ id }) => id === model.step);
  if (maker === undefined) throw new Error(`${model.step} made a model and was not executed`);

  const reached = new Set([maker.id]);
  // A step stands after those it needs, so one walk back finds all of them.
  for (const step of steps.toReversed()) {
    if (!reached.has(step.id)) continue;
    for (const { from } of reads(step)) if (from !== undefined) reached.add(from.step);
  }
  const ancestors = steps.filter(({ id }) => reached.has(id));
  const sources = ancestors.flatMap(reads).filter(({ from }) => from === undefined);
  const users = steps.filter((step) => reads(step).some(({ digest }) => digest === model.digest));
  return {
    model,
    maker,
    datasets: reads(maker),
    ancestors,
    sources: [...new Map(sources.map((source) => [`${source.path}\0${source.digest}`, source])).values()],
    evaluations: users.flatMap((step) =>
      step.stepRun.metrics.length === 0
        ? []
        : [
            {
              step,
              metrics: step.stepRun.metrics,
              datasets: reads(step).filter(({ kind }) => kind?.kind !== "model" && kind?.kind !== "metrics"),
            },
          ],
    ),
    gates: users.filter(({ kind }) => kind === "gate"),
    deployments: users.filter(({ kind, stepRun }) => kind === "deploy" && stepRun.status === "ran"),
  };
}

function isExecuted(step: ExportedStep): step is ExecutedStep {
  return step.stepRun !== undefined;
}

function chosenModel(
  { run }: ExportedRun,
  steps: readonly ExecutedStep[],
  reads: (step: ExecutedStep) => readonly Consumed[],
  named: string | undefined,
): Artifact {
  const all = steps.flatMap(outputsOf).filter(({ kind }) => kind?.kind === "model");
  if (named !== undefined) {
    const found = all.find(({ step, port }) => `${step}.${port}` === named);
    if (found !== undefined) return made(all, found.digest) ?? found;
    throw new MlpipeError("MLP5010", `Run ${run.id} has no model ${named}.`, { hint: listed(all) });
  }
  const deployed = steps
    .filter(({ kind, stepRun }) => kind === "deploy" && stepRun.status === "ran")
    .flatMap(reads)
    .map(({ digest }) => digest);
  const returned = Object.values(run.outputs).map(({ digest }) => digest);
  for (const digests of [deployed, returned, all.map(({ digest }) => digest)]) {
    const models = [...new Set(digests)].flatMap((digest) => made(all, digest) ?? []);
    const [first, second] = models;
    if (first === undefined) continue;
    if (second === undefined) return first;
    throw new MlpipeError("MLP5015", `Run ${run.id} has ${models.length} models to choose from.`, {
      hint: `Say which with --model: ${models.map(nameOf).slice(0, 12).join(", ")}.`,
    });
  }
  throw new MlpipeError("MLP5010", `Run ${run.id} made no model.`, {
    hint: "A model is an output of the kind model(…) or onnx(), of a step that succeeded.",
  });
}

/** A gate passes on what it was given: the one that made it stands before it. */
function made(all: readonly Artifact[], digest: string): Artifact | undefined {
  return all.find((artifact) => artifact.digest === digest);
}

function nameOf({ step, port }: Artifact): string {
  return `${step}.${port}`;
}

function listed(all: readonly Artifact[]): string {
  return all.length === 0 ? "It made none." : `There is: ${all.slice(0, 12).map(nameOf).join(", ")}.`;
}
