/** What became of a run, from what became of its steps. */
import type { MlpipeError } from "@mlpipe/dsl";
import type { RunStatus, StepOutcome } from "./events.ts";

/** Why no new step is started. */
export interface Halt {
  /** As the steps are told that were not started. */
  readonly because: string;
  /** What is in the way, if it is no step's failure and nobody's wish. */
  readonly error?: MlpipeError | undefined;
}

/** Why nothing more is started when somebody asked for that. */
export const onRequest = "stopped";

/** What ended a run before all its steps were done, as data. */
export type RunError = Pick<MlpipeError, "code" | "message" | "hint" | "exit">;

/** What a run of this status has to say beside what its steps say. */
export function runError(status: RunStatus, halted: Halt | undefined): RunError | undefined {
  if (status !== "failed" || halted?.error === undefined) return undefined;
  const { code, message, hint, exit } = halted.error;
  return { code, message, exit, ...(hint !== undefined && { hint }) };
}

/** @param isUnchecked steps that were to be compared with what is kept were not */
export function runStatus(
  outcomes: readonly StepOutcome[],
  halted: Halt | undefined,
  isUnchecked: boolean,
): RunStatus {
  const statuses = new Set(outcomes.map(({ status }) => status));
  // Whoever stopped it knows best why it is not done, whatever had failed before.
  if (halted?.because === onRequest) return "cancelled";
  if (statuses.has("failed")) return "failed";
  if (halted !== undefined) {
    if (halted.error === undefined) return "cancelled";
    // Where everything was done by then, nothing was in the way of anything.
    if (statuses.has("cancelled") || isUnchecked) return "failed";
  }
  if (statuses.has("rejected") || outcomes.some(({ check }) => check?.same === false)) return "rejected";
  return statuses.has("waiting") ? "waiting" : "succeeded";
}
