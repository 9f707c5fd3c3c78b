import { z } from "zod";
import { RunSchema, StepRunSchema } from "./records.ts";

/** The JSON Schemas (draft 2020-12) of the records, by the name of the record. */
export function recordJsonSchemas(): Readonly<Record<"run" | "step-run", Record<string, unknown>>> {
  return {
    run: z.toJSONSchema(RunSchema, { target: "draft-2020-12" }),
    "step-run": z.toJSONSchema(StepRunSchema, { target: "draft-2020-12" }),
  };
}
