/**
 * The events: what the executor says while it works. It is the contract between the executor and
 * whatever shows its work: the live view, plain lines, NDJSON, CI annotations. Every event is plain
 * JSON.
 */
import { StepSchema } from "@mlpipe/dsl/manifest";
import { ReasonSchema } from "@mlpipe/planner/plan";
import { z } from "zod";

const StepKind = StepSchema.shape.kind;
const Site = StepSchema.shape.defined.unwrap();

/** What became of a step. */
export const StepStatusSchema = z.enum([
  /** Executed and succeeded. */
  "ran",
  /** Its kept result holds. */
  "cached",
  "failed",
  /** A gate said no. */
  "rejected",
  /** An upstream step failed or was rejected. */
  "blocked",
  /** Needs an approval that is not there yet. */
  "waiting",
  "cancelled",
  /** Not selected in this run. */
  "skipped",
]);

/** What became of a run. */
export const RunStatusSchema = z.enum(["succeeded", "failed", "rejected", "waiting", "cancelled", "crashed"]);

/** Why a step failed, as data. */
export const StepErrorSchema = z
  .strictObject({
    code: z.string().describe("a stable code: MLP3001"),
    message: z.string(),
    hint: z.string().optional(),
    stack: z.string().describe("the user's own frames, without those of mlpipe").optional(),
    at: z
      .array(Site)
      .readonly()
      .describe("where, nearest first; files relative to the project's root")
      .optional(),
    logTail: z.array(z.string()).readonly().describe("the last lines the step wrote").optional(),
  })
  .readonly();

/** The outcome of one step. */
export const StepOutcomeSchema = z
  .strictObject({
    id: z.string(),
    kind: StepKind,
    status: StepStatusSchema,
    key: z.string().nullable(),
    stepRun: z
      .string()
      .nullable()
      .describe("the step run that made the outputs: of this run, or of an earlier one if cached"),
    reasons: z.array(ReasonSchema).readonly(),
    durationMs: z.number(),
    outputs: z
      .record(
        z.string(),
        z.strictObject({ digest: z.string(), size: z.number(), type: z.enum(["file", "tree"]) }).readonly(),
      )
      .readonly(),
    metrics: z.record(z.string(), z.number()).readonly().optional(),
    error: StepErrorSchema.optional(),
    check: z
      .strictObject({
        stepRun: z.string().describe("the execution beside the cache"),
        same: z.boolean(),
        differences: z.array(z.string()).readonly().describe("each names a port, and what differs in it"),
        error: StepErrorSchema.optional(),
      })
      .readonly()
      .describe("with --check: whether the step, run again, gave the outputs that are kept")
      .optional(),
  })
  .readonly();

/** A step as events announce it. */
const Announced = z
  .strictObject({
    id: z.string(),
    kind: StepKind,
    needs: z.array(z.string()).readonly(),
    each: z
      .string()
      .describe("of a step that stands for every item of a list not known yet: the fan-out")
      .optional(),
  })
  .readonly();

const Time = z.string().describe("ISO 8601 in UTC");
const Attempt = z.int().positive().describe("1 for the first");

export const EventSchema = z
  .discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("run-started"),
      run: z.string(),
      pipeline: z.string(),
      at: Time,
      steps: z.array(Announced).readonly(),
    }),
    z
      .strictObject({
        type: z.literal("steps-expanded"),
        each: z.string().describe("the fan-out"),
        at: Time,
        templates: z.array(z.string()).readonly().describe("the steps that stood for every item"),
        steps: z.array(Announced).readonly().describe("the steps of the items, in their place"),
      })
      .describe("the list of a fan-out is known"),
    z
      .strictObject({
        type: z.literal("step-waiting"),
        step: z.string(),
        for: z.string().describe("the run that is executing the same key"),
        at: Time,
      })
      .describe("another run makes what the step would make; told when that takes more than a moment"),
    z.strictObject({
      type: z.literal("step-started"),
      step: z.string(),
      stepRun: z.string(),
      key: z.string(),
      attempt: Attempt,
      at: Time,
      reasons: z.array(ReasonSchema).readonly(),
    }),
    z.strictObject({
      type: z.literal("step-output"),
      step: z.string(),
      attempt: Attempt,
      stream: z.enum(["stdout", "stderr"]),
      line: z.string().describe("without its end, made safe for a terminal; very long lines are cut"),
    }),
    z.strictObject({
      type: z.literal("step-retrying"),
      step: z.string(),
      attempt: Attempt,
      of: z.int().positive(),
      error: StepErrorSchema,
    }),
    z.strictObject({ type: z.literal("step-finished"), at: Time, outcome: StepOutcomeSchema }),
    z.strictObject({ type: z.literal("step-checked"), at: Time, outcome: StepOutcomeSchema }),
    z.strictObject({
      type: z.literal("warning"),
      step: z.string().optional(),
      message: z.string(),
      at: Site.optional(),
    }),
    z.strictObject({
      type: z.literal("run-finished"),
      run: z.string(),
      status: RunStatusSchema,
      at: Time,
      durationMs: z.number(),
    }),
    z
      .strictObject({ type: z.literal("error"), at: Time, error: StepErrorSchema })
      .describe(
        "what ended the command where that was no step's failure, as the last line: nothing may have begun",
      ),
  ])
  .readonly()
  .meta({ id: "Event", title: "mlpipe event" });

export type StepStatus = z.infer<typeof StepStatusSchema>;
export type RunStatus = z.infer<typeof RunStatusSchema>;
export type StepError = z.infer<typeof StepErrorSchema>;
export type StepOutcome = z.infer<typeof StepOutcomeSchema>;
/** One thing that happened in a run. What ends a command is told by the command line, whether anything has begun or not. */
export type ExecutorEvent = Exclude<z.infer<typeof EventSchema>, { readonly type: "error" }>;

/** The JSON Schema of an event (draft 2020-12), as published. */
export function eventJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(EventSchema, { target: "draft-2020-12" });
}
