import { RandomForestRegression } from "ml-random-forest";
import { type Example, type Features, toVector } from "./example.ts";

export interface ForestOptions {
  readonly trees: number;
  readonly depth: number;
  readonly seed: number;
}

/**
 * A random forest as JSON text. It is a regression on 0 and 1: a tree answers with the share of
 * rainy days in a leaf, and the mean over all trees is a probability.
 */
export function growForest(examples: readonly Example[], { trees, depth, seed }: ForestOptions): string {
  const forest = new RandomForestRegression({
    nEstimators: trees,
    seed,
    maxFeatures: 0.7,
    replacement: false,
    noOOB: true,
    treeOptions: { maxDepth: depth, minNumSamples: 20 },
  });
  forest.train(
    examples.map(toVector),
    examples.map(({ rained }) => (rained ? 1 : 0)),
  );
  return JSON.stringify(forest);
}

/** The probability of rain for each of the given features. */
export function rainProbabilities(forest: string, features: readonly Features[]): number[] {
  return RandomForestRegression.load(JSON.parse(forest)).predict(features.map(toVector));
}
