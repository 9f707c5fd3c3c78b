export type { Finding } from "./command/findings.ts";
export { plannerErrors, type PlannerErrorCode } from "./errors.ts";
export type { StepLanguage } from "./environment/environment.ts";
export type { StepIdentity } from "./identity.ts";
export { absoluteSite, upstreamIn, upstreamOf } from "./inputs.ts";
export type { Decision, Plan, Preimage, Reason, ResolvedInput } from "./plan.ts";
export { type OutputOf, Planner, type PlannerOptions, type Why } from "./planner.ts";
export { type Expansion, isNamed, type StepGraph } from "./step-graph.ts";
export { describeChange, describeRows, type InputDetail } from "./input-detail.ts";
