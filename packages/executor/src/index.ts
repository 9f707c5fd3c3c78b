export { executorErrors } from "./errors.ts";
export type { ExecutorEvent, RunStatus, StepError, StepOutcome, StepStatus } from "./events.ts";
export { execute, type ExecuteOptions, type RunResult } from "./execute.ts";
export { runnerErrors } from "./runner/errors.ts";
