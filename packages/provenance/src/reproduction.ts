/** The record of a reproduction: what became of steps that were executed again from what is recorded of them. */
import { z } from "zod";

const Digest = z.string().regex(/^[0-9a-f]{64}$/);

/** From best to worst; a step that could not be executed again has none of the others. */
export const verdicts = ["IDENTICAL", "EQUIVALENT", "WITHIN_TOLERANCE", "DIVERGED", "NOT_RERUN"] as const;

export const VerdictSchema = z.enum(verdicts);

/** Why a step diverged, as far as can be told. */
export const CauseSchema = z.enum([
  "non-deterministic",
  "environment",
  "undeclared-input",
  /** With `--cascade`: what it was given was made otherwise. */
  "upstream",
  "failed",
]);

const Difference = z.object({
  part: z.enum(["platform", "node", "python", "tool", "variable", "package", "machine", "code"]),
  name: z.string(),
  before: z.string().nullable(),
  after: z.string().nullable(),
});

export const ReproducedStepSchema = z
  .object({
    step: z.string(),
    stepRun: z.string().nullable(),
    verdict: VerdictSchema,
    /** How often it was executed now. */
    executions: z.int().nonnegative(),
    outputs: z.record(
      z.string(),
      z.object({
        verdict: VerdictSchema,
        recorded: Digest,
        made: z.array(Digest),
        /** In words: what differs, or in which form it is the same. */
        detail: z.string().optional(),
      }),
    ),
    cause: CauseSchema.optional(),
    /** In one line: the cause, or why it was not executed. */
    reason: z.string().optional(),
    /** What may have to do with it, likeliest first. */
    suspects: z.array(z.string()),
    /** What of its environment is not as it was recorded. */
    environment: z.array(Difference),
    /** With those of the record: executions that were compared, and how many results there were. */
    determinism: z.object({ samples: z.int(), distinct: z.int() }).optional(),
  })
  .meta({ id: "ReproducedStep" });

export const ReproductionSchema = z
  .object({
    schema: z.literal("mlpipe/reproduction/v1"),
    id: z.string(),
    /** The run whose steps were executed again. */
    run: z.string(),
    pipeline: z.string(),
    mode: z.enum(["isolated", "cascade"]),
    /** What was varied between the executions. */
    varied: z.array(z.string()),
    tolerance: z.number().nonnegative(),
    startedAt: z.string(),
    endedAt: z.string(),
    verdict: VerdictSchema,
    steps: z.array(ReproducedStepSchema),
    tool: z.object({ name: z.literal("mlpipe"), version: z.string() }),
  })
  .meta({ id: "Reproduction", title: "mlpipe reproduction" });

export type Verdict = z.infer<typeof VerdictSchema>;
export type Cause = z.infer<typeof CauseSchema>;
export type EnvironmentDifference = z.infer<typeof Difference>;
export type ReproducedStep = z.infer<typeof ReproducedStepSchema>;
export type Reproduction = z.infer<typeof ReproductionSchema>;

/** The worst of some verdicts; what was not executed again says nothing of the others. */
export function worst(all: readonly Verdict[]): Verdict {
  const rerun = all.filter((verdict) => verdict !== "NOT_RERUN");
  const ranks = rerun.map((verdict) => verdicts.indexOf(verdict));
  return verdicts[Math.max(...ranks)] ?? "NOT_RERUN";
}
