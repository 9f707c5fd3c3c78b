import { z } from "zod";
import { RunSchema, StepRunSchema } from "./records.ts";
import { ReproductionSchema } from "./reproduction.ts";

/** The JSON Schemas (draft 2020-12) of the records, by the name of the record. */
export function recordJsonSchemas(): Readonly<
  Record<"run" | "step-run" | "reproduction", Record<string, unknown>>
> {
  return {
    run: z.toJSONSchema(RunSchema, { target: "draft-2020-12" }),
    "step-run": z.toJSONSchema(StepRunSchema, { target: "draft-2020-12" }),
    reproduction: z.toJSONSchema(ReproductionSchema, { target: "draft-2020-12" }),
  };
}
