export type { ExecutorEvent, RunStatus, StepError, StepOutcome, StepStatus } from "./events.ts";
export { execute, type ExecuteOptions, type Instead, type RunResult } from "./execute.ts";
export { hasMany, holdOldGeneration, holdWhileBuilt, holdYoungGeneration } from "./heap-growth.ts";
export { executorErrors } from "./errors.ts";
export { runnerErrors } from "./runner/errors.ts";
export { logSlot, type LogSlot, slotOfFile, stepSlot } from "./log-slot.ts";
export { SafeLines } from "./safe-lines.ts";
export { endOrphans } from "./supervisor/orphans.ts";
export { withLeanZod } from "./lean-zod.ts";
