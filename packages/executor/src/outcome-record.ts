import type { Run, StepRun } from "@mlpipe/provenance";
import type { StepError, StepOutcome } from "./events.ts";

/** An outcome as the run's record holds it. */
export function outcomeRecord({
  error,
  reasons,
  outputs,
  metrics,
  check,
  ...outcome
}: StepOutcome): Run["steps"][number] {
  // In the order of canonical JSON, which copies what it has to sort: there may be thousands of them.
  return {
    ...(check !== undefined && {
      check: {
        stepRun: check.stepRun,
        same: check.same,
        differences: [...check.differences],
        ...(check.error !== undefined && { error: failureRecord(check.error) }),
      },
    }),
    durationMs: outcome.durationMs,
    ...(error !== undefined && { error: failureRecord(error) }),
    id: outcome.id,
    key: outcome.key,
    kind: outcome.kind,
    ...(metrics !== undefined && { metrics: { ...metrics } }),
    outputs: { ...outputs },
    reasons: [...reasons],
    status: outcome.status,
    stepRun: outcome.stepRun,
  };
}

/** An error as a record holds it: what the log says is in the log. */
export function failureRecord({ logTail: _tail, at, ...error }: StepError): NonNullable<StepRun["error"]> {
  return { ...error, ...(at !== undefined && { at: [...at] }) };
}
