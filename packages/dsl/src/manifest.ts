/**
 * The manifest: what a pipeline is, as plain JSON. It is the contract between the language and
 * everything after it, and all that the planner knows of a pipeline.
 *
 * The schema lives behind the subpath `@mlpipe/dsl/manifest`: importing zod costs tens of
 * milliseconds that loading the language itself should not.
 */
import { z } from "zod";

/** Version of the manifest's shape; a change that a reader must know of raises it. */
export const manifestVersion = 1;

const Direction = z.enum(["min", "max"]);

/** What a port carries, as far as it can be told without the user's schemas. */
export type KindSpec =
  | { readonly kind: "value" | "seed" | "csv" | "jsonl" | "json" | "dir" | "checkpoint" }
  | { readonly kind: "file" | "plot"; readonly extension: string }
  | { readonly kind: "model"; readonly format: string }
  | { readonly kind: "metrics"; readonly directions: Readonly<Record<string, "min" | "max">> }
  | { readonly kind: "many" | "approved" | "optional"; readonly of: KindSpec };

const KindSpecSchema: z.ZodType<KindSpec> = z
  .lazy(() =>
    z.discriminatedUnion("kind", [
      z.strictObject({ kind: z.enum(["value", "seed", "csv", "jsonl", "json", "dir", "checkpoint"]) }),
      z.strictObject({ kind: z.enum(["file", "plot"]), extension: z.string() }),
      z.strictObject({ kind: z.literal("model"), format: z.string() }),
      z.strictObject({ kind: z.literal("metrics"), directions: z.record(z.string(), Direction) }),
      z.strictObject({ kind: z.enum(["many", "approved", "optional"]), of: KindSpecSchema }),
    ]),
  )
  .meta({ id: "Kind" });

const SiteSchema = z
  .strictObject({
    file: z.string().describe("relative to the project's root, with /"),
    line: z.int().positive(),
    column: z.int().positive(),
  })
  .meta({ id: "Site" });

/** Where an input comes from. */
export type Binding =
  | { readonly type: "step"; readonly step: string; readonly port: string }
  | {
      readonly type: "value";
      readonly value: unknown;
      /** The output that the value was an item of. */
      readonly from?: OutputName | undefined;
    }
  /** An item of a fan-out that has not expanded, or something in it. */
  | {
      readonly type: "item";
      readonly each: string;
      readonly path: readonly string[];
      /** The output that has the list; a source's has none. */
      readonly from?: OutputName | undefined;
    }
  /** What the children of a fan-out that has not expanded will give: a `many`. */
  | { readonly type: "joined"; readonly each: string; readonly from: Binding }
  | {
      readonly type: "source";
      readonly path: string;
      readonly keep: "copy" | "reference";
      readonly site?: ManifestSite | undefined;
    }
  | { readonly type: "many"; readonly items: readonly { readonly key: string; readonly from: Binding }[] }
  | { readonly type: "absent" };

/** An output of a step. */
export interface OutputName {
  readonly step: string;
  readonly port: string;
}

const OutputNameSchema = z.strictObject({ step: z.string(), port: z.string() });

const BindingSchema: z.ZodType<Binding> = z
  .lazy(() =>
    z.discriminatedUnion("type", [
      z.strictObject({ type: z.literal("step"), step: z.string(), port: z.string() }),
      z.strictObject({
        type: z.literal("value"),
        value: z.json(),
        from: OutputNameSchema.describe("the output that the value was an item of").optional(),
      }),
      z.strictObject({
        type: z.literal("item"),
        each: z.string(),
        path: z.array(z.string()).describe("names of fields, outermost first; empty for the whole item"),
        from: OutputNameSchema.describe("the output that has the list").optional(),
      }),
      z.strictObject({ type: z.literal("joined"), each: z.string(), from: BindingSchema }),
      z.strictObject({
        type: z.literal("source"),
        path: z.string().describe("relative to the project's root, or absolute"),
        keep: z.enum(["copy", "reference"]),
        site: SiteSchema.optional(),
      }),
      z.strictObject({
        type: z.literal("many"),
        items: z.array(z.strictObject({ key: z.string(), from: BindingSchema })),
      }),
      z.strictObject({ type: z.literal("absent") }),
    ]),
  )
  .meta({ id: "Binding" });

export const FanOutSchema = z
  .strictObject({
    id: z.string().describe("each(STEP.PORT)"),
    list: BindingSchema,
    kind: z.enum(["value", "json", "jsonl"]),
    keyFields: z
      .array(z.string())
      .describe("the fields that make the key of an item; none if a function of the pipeline makes it")
      .optional(),
    within: z.array(z.string()).describe("the fan-outs around it, outermost first"),
    called: SiteSchema.optional(),
  })
  .meta({ id: "FanOut" });

const ArgumentPart = z.union([
  z.string(),
  z.strictObject({ input: z.string() }),
  z.strictObject({ output: z.string() }),
  z.strictObject({ target: z.literal(true) }),
]);

const Body = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("run") }),
  z.strictObject({
    type: z.literal("command"),
    argv: z
      .array(z.array(ArgumentPart))
      .describe("each argument a sequence of parts, joined without a space"),
  }),
  z.strictObject({ type: z.literal("check"), pass: z.string() }),
]);

const Amounts = z.record(z.string(), z.number().nonnegative());

const SchedulingSchema = z.strictObject({
  resources: Amounts.describe("what it takes of each pool; memory in bytes").optional(),
  escalation: z
    .array(Amounts)
    .describe("the same of the second attempt, the third, …, where it depends on the attempt")
    .optional(),
  retry: z
    .strictObject({
      attempts: z.int().nonnegative().describe("how often, after the first"),
      backoffMs: z.number().nonnegative().optional(),
      factor: z.number().min(1).optional(),
      maxBackoffMs: z.number().nonnegative().optional(),
      on: z.array(z.union([z.enum(["failed", "timeout", "memory", "killed"]), z.int()])).optional(),
    })
    .optional(),
  timeoutMs: z.number().positive().optional(),
});

export const StepSchema = z
  .strictObject({
    id: z.string(),
    each: z
      .array(z.string())
      .describe("of a step in the body of a fan-out that has not expanded: the fan-outs, outermost first")
      .optional(),
    template: z.string().describe("of a child of a fan-out: the step that it was made of").optional(),
    kind: z.enum(["data", "train", "evaluate", "deploy", "gate"]),
    description: z.string().optional(),
    module: z.string().describe("the module that exports the step, relative to the project's root"),
    export: z.string(),
    defined: SiteSchema.optional(),
    called: SiteSchema.optional(),
    inputs: z.record(z.string(), z.strictObject({ kind: KindSpecSchema, from: BindingSchema })),
    outputs: z.record(z.string(), KindSpecSchema),
    body: Body,
    files: z.array(z.string()).describe("globs of further files that the step's code is made of").optional(),
    env: z.array(z.strictObject({ name: z.string(), secret: z.boolean() })),
    cache: z.discriminatedUnion("mode", [
      z.strictObject({ mode: z.literal("keyed") }),
      z.strictObject({ mode: z.literal("off") }),
      z.strictObject({ mode: z.literal("aging"), maxAgeMs: z.number().positive() }),
    ]),
    checkpoints: z
      .array(z.string())
      .describe("ports that are given a folder which survives the attempts of one key")
      .optional(),
    target: z.string().describe("the one place outside that a deploy writes").optional(),
    scheduling: SchedulingSchema,
  })
  .meta({ id: "Step" });

export const ManifestSchema = z
  .strictObject({
    schemaVersion: z.literal(manifestVersion),
    pipeline: z.string(),
    file: z.string().describe("the pipeline's module, relative to the project's root"),
    params: z.json(),
    steps: z.array(StepSchema).describe("every step after those it takes refs from"),
    fanOuts: z.array(FanOutSchema).describe("calls of each over a list that the run makes").optional(),
    outputs: z.record(z.string(), z.strictObject({ kind: KindSpecSchema, from: BindingSchema })),
    warnings: z.array(z.strictObject({ message: z.string(), site: SiteSchema.optional() })),
  })
  .meta({ id: "Manifest", title: "mlpipe manifest" });

/** A pipeline as data. */
export type Manifest = z.infer<typeof ManifestSchema>;
/** One step of a manifest. */
export type ManifestStep = z.infer<typeof StepSchema>;
/** A fan-out over a list that the run makes. */
export type ManifestFanOut = z.infer<typeof FanOutSchema>;
/** A place in the project's source, its file relative to the project's root. */
export type ManifestSite = z.infer<typeof SiteSchema>;
/** What a step executes: a function, a command or a gate's check. */
export type StepBody = z.infer<typeof Body>;
/** A part of one argument of a command: literal text, or the place of a port. */
export type CommandPart = z.infer<typeof ArgumentPart>;

/** The JSON Schema of the manifest (draft 2020-12), as published. */
export function manifestJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(ManifestSchema, { target: "draft-2020-12" });
}
