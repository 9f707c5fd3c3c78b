import { expect, test } from "vitest";
import { attemptsOf, isTriedAgain, pauseAfter } from "./retry.ts";

test("pauses double up to half a minute, or as the step says", () => {
  const pauses = (retry: Parameters<typeof pauseAfter>[0]): readonly number[] =>
    [1, 2, 3, 4, 5, 6, 7].map((attempt) => pauseAfter(retry, attempt));
  expect(pauses(undefined)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  expect(pauses({ attempts: 7, backoffMs: 10, factor: 3, maxBackoffMs: 100 })).toEqual([
    10, 30, 90, 100, 100, 100, 100,
  ]);
  expect(pauses({ attempts: 7, backoffMs: 500, factor: 1 })).toEqual(Array(7).fill(500));
});

test("which failures are tried again", () => {
  expect([attemptsOf(undefined), attemptsOf({ attempts: 2 })]).toEqual([1, 3]);
  const on = (
    ...which: NonNullable<NonNullable<Parameters<typeof isTriedAgain>[0]>["on"]>
  ): readonly boolean[] =>
    (
      [
        { kind: "failed", code: 1 },
        { kind: "failed", code: 75 },
        { kind: "timeout", code: null },
        { kind: "memory", code: 137 },
        { kind: "killed", code: null },
      ] as const
    ).map((failed) => isTriedAgain({ attempts: 1, on: which }, failed));
  expect(on("failed")).toEqual([true, true, false, false, false]);
  expect(on(75)).toEqual([false, true, false, false, false]);
  expect(on("timeout", "killed")).toEqual([false, false, true, false, true]);
  expect(on("memory")).toEqual([false, false, false, true, false]);
  expect(isTriedAgain({ attempts: 1 }, { kind: "failed", code: 1 })).toBe(true);
});
