/**
 * The plan: what would run, and why. It is the contract between the planner and everything that
 * acts on or shows its decisions.
 */
import type { CacheEntry, Content, Digest } from "@mlpipe/store";
import { z } from "zod";

/** What a reason is about. */
export const ReasonPart = z.enum([
  "inputs",
  "code",
  "packages",
  "environment",
  "contract",
  "format",
  /** The step never ran in this pipeline before. */
  "none-before",
  /** The user asked for it. */
  "forced",
  /** The step or a part of its key says that its result must not be kept. */
  "uncacheable",
  /** The kept result is older than the step allows. */
  "expired",
  /** What the cache names is gone from the store, or damaged. */
  "missing",
  /** A deploy's target is not as the last deploy left it. */
  "target",
  /** Every part is as before: the step is skipped. */
  "unchanged",
  /** An upstream step has to run first. */
  "upstream",
]);

export const ReasonSchema = z
  .strictObject({
    part: ReasonPart,
    name: z.string().describe("what exactly: a port, a declaration, a package, a variable, a step"),
    before: z.unknown().optional(),
    after: z.unknown().optional(),
    message: z.string().describe("one line for people"),
  })
  .meta({ id: "Reason" });

/** Why a step runs, or need not. */
export type Reason = z.infer<typeof ReasonSchema>;

export const PlanSchema = z
  .strictObject({
    schemaVersion: z.literal(1),
    pipeline: z.string(),
    steps: z.array(
      z.strictObject({
        id: z.string(),
        each: z
          .string()
          .describe("of a step that stands for every item of a list not known yet: the fan-out")
          .optional(),
        kind: z.enum(["data", "train", "evaluate", "deploy", "gate"]),
        decision: z.enum(["run", "cached", "unknown"]),
        key: z.string().optional(),
        expiresAt: z.string().describe("of a kept result with a maxAge: until when it holds").optional(),
        reasons: z.array(ReasonSchema),
      }),
    ),
    warnings: z.array(z.string()).optional(),
  })
  .meta({ id: "Plan", title: "mlpipe plan" });

/** The JSON Schema of the plan (draft 2020-12), as published. */
export function planJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(PlanSchema, { target: "draft-2020-12" });
}

/** What would run, and why. */
export type Plan = z.infer<typeof PlanSchema>;

/** One input of a step whose upstream is known. */
export type ResolvedInput =
  /** A plain value; its content is the canonical JSON. */
  | {
      readonly type: "value";
      readonly value: unknown;
      readonly digest: Digest;
      /** The output that the value was an item of. */
      readonly from?: { readonly step: string; readonly port: string };
    }
  /** An output of a step, in the store. */
  | {
      readonly type: "object";
      readonly content: Content;
      readonly from: { readonly step: string; readonly port: string };
    }
  /** A file or folder of the project, where it lies. */
  | {
      readonly type: "source";
      readonly path: string;
      readonly absolute: string;
      readonly keep: "copy" | "reference";
      readonly content: Content;
    }
  | {
      readonly type: "many";
      readonly items: readonly { readonly key: string; readonly input: ResolvedInput }[];
    }
  | { readonly type: "absent" };

/** The digests of the parts of a key. */
export interface Preimage {
  readonly format: number;
  readonly contract: Digest;
  readonly code: Digest;
  readonly packages: Digest;
  readonly environment: Digest;
  readonly inputs: Readonly<Record<string, Digest>>;
}

/** What was decided for one step. */
export type Decision =
  | {
      readonly decision: "cached";
      readonly key: Digest;
      readonly preimage: Digest;
      /** The step run that produced the outputs, with the outputs; a deploy's receipt has none. */
      readonly entry: CacheEntry;
      /** Until when the result holds, if the step says so; ISO 8601. */
      readonly expiresAt?: string;
      readonly reasons: readonly Reason[];
    }
  | {
      readonly decision: "run";
      readonly key: Digest;
      readonly preimage: Digest;
      readonly parts: Preimage;
      /** False when the result must not become a cache entry. */
      readonly cacheable: boolean;
      readonly inputs: Readonly<Record<string, ResolvedInput>>;
      /** The environment of the step's process, secrets included. */
      readonly environment: Readonly<Record<string, string>>;
      readonly reasons: readonly Reason[];
    }
  | {
      readonly decision: "unknown";
      readonly reasons: readonly Reason[];
    };
