import type { Run, StepRun } from "@mlpipe/provenance";
import type { Reason } from "@mlpipe/planner";
import type { StepError, StepOutcome } from "./events.ts";

/** An outcome as the run's record holds it. */
export function outcomeRecord(outcome: StepOutcome): Run["steps"][number] {
  const { check, durationMs, error, id, key, kind, metrics, outputs, reasons, status, stepRun } = outcome;
  // In the order of canonical JSON, here and below: it copies what it has to sort with all that is around it, and there may
  // be thousands of them.
  return {
    ...(check !== undefined && {
      check: {
        stepRun: check.stepRun,
        same: check.same,
        differences: [...check.differences],
        ...(check.error !== undefined && { error: failureRecord(check.error) }),
      },
    }),
    durationMs,
    ...(error !== undefined && { error: failureRecord(error) }),
    id,
    key,
    kind,
    ...(metrics !== undefined && { metrics: { ...metrics } }),
    outputs: contentsRecord(outputs),
    reasons: reasons.map((reason) => reasonRecord(reason)),
    status,
    stepRun,
  };
}

function reasonRecord({ after, before, message, name, part }: Reason): Reason {
  if (after === undefined && before === undefined) return { message, name, part };
  return {
    ...(after !== undefined && { after }),
    ...(before !== undefined && { before }),
    message,
    name,
    part,
  };
}

/** Nearly all are in order already. */
function contentsRecord(outputs: StepOutcome["outputs"]): StepOutcome["outputs"] {
  if (Object.values(outputs).every(isInOrder)) return outputs;
  const ordered = Object.entries(outputs).map(([port, { digest, size, type }]) => [
    port,
    { digest, size, type },
  ]);
  return Object.fromEntries(ordered);
}

function isInOrder(value: object): boolean {
  let before = "";
  for (const name in value) {
    if (name < before) return false;
    before = name;
  }
  return true;
}

/** An error as a record holds it: what the log says is in the log. */
export function failureRecord({ logTail: _tail, at, ...error }: StepError): NonNullable<StepRun["error"]> {
  return { ...error, ...(at !== undefined && { at: [...at] }) };
}
