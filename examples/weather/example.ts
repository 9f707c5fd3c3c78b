import { z } from "zod";

/** What is known about a day on the evening before. */
const Features = z.object({
  rain: z.number(), // mm on the day before
  rain3: z.number(), // mm on the three days before
  rain7: z.number(),
  wetDays: z.int(), // days with rain among the seven before
  drySpell: z.int(), // days since it last rained
  tempMax: z.number(),
  tempMin: z.number(),
  tempRange: z.number(),
  tempMaxChange: z.number(), // from two days before to the day before
  tempMinChange: z.number(),
  wind: z.number(),
  seasonSin: z.number(), // the time of year as a point on a circle
  seasonCos: z.number(),
});
export type Features = z.infer<typeof Features>;

/** A day to learn from: its features and whether it rained. */
export const Example = z.object({ date: z.iso.date(), ...Features.shape, rained: z.boolean() });
export type Example = z.infer<typeof Example>;

/** The features in the order in which a model takes them. */
export function toVector(features: Features): number[] {
  return Features.keyof().options.map((name) => features[name]);
}
