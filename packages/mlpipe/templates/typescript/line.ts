import { z } from "zod";

/** price = base + perArea · area, fitted by least squares. */
export const Model = z.object({ base: z.number(), perArea: z.number() });
export type Line = z.infer<typeof Model>;

interface Point {
  readonly area: number;
  readonly price: number;
}

export function regress(homes: readonly Point[]): Line {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const area = mean(homes.map((home) => home.area));
  const price = mean(homes.map((home) => home.price));
  const covariance = mean(homes.map((home) => (home.area - area) * (home.price - price)));
  const variance = mean(homes.map((home) => (home.area - area) ** 2));
  const perArea = covariance / variance;
  return { base: price - perArea * area, perArea };
}

export function predict(line: Line, home: { readonly area: number }): number {
  return line.base + line.perArea * home.area;
}

/** In a random order that the seed decides (mulberry32). */
export function shuffled<Item>(items: readonly Item[], seed: number): Item[] {
  let state = seed >>> 0;
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return items
    .map((item) => ({ item, at: random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
