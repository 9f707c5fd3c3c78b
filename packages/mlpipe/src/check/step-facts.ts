/** What the rules ask of a step: all calls of one definition share it. */
import type { ManifestStep } from "@mlpipe/dsl";
import type { StepIdentity } from "@mlpipe/planner";

/** A definition of a step, with the steps of the pipeline that are calls of it. */
export interface StepFacts {
  /** One of the steps; what a definition says of itself is the same in all. */
  readonly definition: ManifestStep;
  readonly ids: readonly string[];
  readonly identity: StepIdentity;
  /** Paths of the sources that any of the steps is given, absolute. */
  readonly sources: ReadonlySet<string>;
}

/** Whether no result of the step is ever kept, because it says so or because it is an effect. */
export function isNeverKept({ definition: { kind, cache } }: StepFacts): boolean {
  return kind === "deploy" || cache.mode === "off";
}

/** Whether the step says that its result does not hold for ever. */
export function isPassing(step: StepFacts): boolean {
  return isNeverKept(step) || step.definition.cache.mode === "aging";
}
