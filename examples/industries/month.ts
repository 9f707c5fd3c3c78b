/** The rows that travel between the steps. */
import { z } from "zod";

/** Unemployment in one industry in one month, as the source has it. */
export const Month = z.object({
  series: z.string().describe("the industry"),
  year: z.int(),
  month: z.int().min(1).max(12),
  rate: z.number().describe("unemployed, in percent"),
});

/** The same without the industry: what a model of one industry learns from. */
export const Rate = Month.omit({ series: true });

/** An industry, with a name that can be part of a step's id. */
export const Industry = z.object({ name: z.string(), id: z.string() });

/** What is learnt: next year's rate of a month from this year's. */
export const Line = z.object({ intercept: z.number(), slope: z.number() });
