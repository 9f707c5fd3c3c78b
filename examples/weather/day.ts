import { z } from "zod";

/** A day of weather, as the data has it: millimetres, degrees Celsius, metres a second. */
export const Day = z.object({
  date: z.iso.date(),
  precipitation: z.number().min(0),
  temp_max: z.number(),
  temp_min: z.number(),
  wind: z.number().min(0),
});
export type Day = z.infer<typeof Day>;
