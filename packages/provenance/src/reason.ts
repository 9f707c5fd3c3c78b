import { z } from "zod";

/**
 * A reason of the planner, as it is kept in a record. Its parts are an open set here: a record
 * must stay readable when a later planner knows more reasons.
 */
export const ReasonSchema = z
  .object({
    part: z.string(),
    name: z.string(),
    before: z.unknown().optional(),
    after: z.unknown().optional(),
    message: z.string(),
  })
  .meta({ id: "Reason" });
