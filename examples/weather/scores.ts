import { metrics } from "mlpipe";

/** How forecasts are judged. */
export const scores = metrics({ accuracy: "max", auc: "max", brier: "min" });

/** A forecast beside what happened. */
export interface Outcome {
  /** The forecast probability of rain. */
  readonly probability: number;
  readonly rained: boolean;
}

export function scoresOf(outcomes: readonly Outcome[]): { accuracy: number; auc: number; brier: number } {
  return {
    accuracy: mean(outcomes.map(({ probability, rained }) => (probability >= 0.5 === rained ? 1 : 0))),
    auc: rocAuc(outcomes),
    brier: mean(outcomes.map(({ probability, rained }) => (probability - (rained ? 1 : 0)) ** 2)),
  };
}

/**
 * Area under the ROC curve: how often a rainy day had a higher forecast than a dry one, a tie
 * counting half. Computed from midranks, as in the Mann-Whitney U test.
 */
export function rocAuc(outcomes: readonly Outcome[]): number {
  const rainy = outcomes.filter(({ rained }) => rained).length;
  const dry = outcomes.length - rainy;
  if (rainy === 0 || dry === 0) throw new Error("AUC needs rainy and dry days.");
  const byForecast = outcomes.toSorted((a, b) => a.probability - b.probability);
  let below = 0;
  let rankSum = 0;
  for (const tied of Map.groupBy(byForecast, ({ probability }) => probability).values()) {
    const midrank = below + (tied.length + 1) / 2;
    rankSum += midrank * tied.filter(({ rained }) => rained).length;
    below += tied.length;
  }
  return (rankSum - (rainy * (rainy + 1)) / 2) / (rainy * dry);
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0) / numbers.length;
}
