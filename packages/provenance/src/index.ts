export { provenanceErrors } from "./errors.ts";
export { fileAt, gitState, withoutCredentials } from "./git.ts";
export { hostFacts, type HostDocument, whoAndWhere } from "./host.ts";
export { readRun, runOf, stepRunOf, type RecordedRun } from "./questions.ts";
export type { Attempt, Ref, Run, StepRun, Usage } from "./records.ts";
export { RunRecorder, type RunEnd, type RunRecorderOptions } from "./recorder.ts";
export { timestamp } from "./time.ts";
export { triggerOf } from "./trigger.ts";
export { redactDocument, RedactedStream, secretValues } from "./redact.ts";
