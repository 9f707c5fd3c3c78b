import { expect, it } from "vitest";
import { mlflowBatches, type MlflowBatch } from "./mlflow-batch.ts";

const texts = (count: number, value = "v"): MlflowBatch["params"] =>
  Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value }));
const metrics = (count: number): MlflowBatch["metrics"] =>
  Array.from({ length: count }, (_, i) => ({ key: `m${i}`, value: i, timestamp: 1, step: 0 }));
const sizes = (batch: MlflowBatch): readonly number[] => [
  batch.params.length,
  batch.metrics.length,
  batch.tags.length,
];

it("nothing to log is no request", () => {
  expect(mlflowBatches({ params: [], metrics: [], tags: [] })).toEqual([]);
});

it("a request has at most 100 params, 100 tags, 1,000 metrics and 1,000 of all", () => {
  const batches = mlflowBatches({ params: texts(150), metrics: metrics(2_500), tags: texts(101) });
  expect(batches.map(sizes)).toEqual([
    [0, 0, 100],
    [100, 0, 1],
    [50, 950, 0],
    [0, 1_000, 0],
    [0, 550, 0],
  ]);
});

it("a request stays below a million characters, also where each is written as an escape", () => {
  const params = texts(100, "ü".repeat(6_000));
  const batches = mlflowBatches({ params, metrics: [], tags: [] });
  expect(batches.flatMap((batch) => batch.params)).toEqual(params);
  for (const batch of batches) expect(batch.params.length * 6 * 6_000).toBeLessThan(1_000_000);
});
