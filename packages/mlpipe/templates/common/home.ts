import { z } from "zod";

/** A row of data/homes.csv: area in m², price in thousands. */
export const Home = z.object({
  area: z.number().positive(),
  rooms: z.int().positive(),
  price: z.number().positive(),
});
