import { expect, test } from "vitest";
import { rocAuc, scoresOf } from "../../examples/weather/scores.ts";

const outcomes = [
  { probability: 0.5, rained: false },
  { probability: 0.5, rained: true },
  { probability: 0.2, rained: false },
  { probability: 0.9, rained: true },
];

test("scores are those of scikit-learn, a tie counting half", () => {
  expect(scoresOf(outcomes)).toEqual({ accuracy: 0.75, auc: 0.875, brier: 0.1375 });
});

test("days of one sort alone have no AUC", () => {
  expect(() => rocAuc(outcomes.filter(({ rained }) => rained))).toThrow("AUC needs rainy and dry days.");
});
