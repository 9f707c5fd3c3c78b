import { canonicalJson } from "@mlpipe/store";
import { expect, test } from "vitest";
import type { StepOutcome } from "./events.ts";
import { outcomeRecord } from "./outcome-record.ts";

const outcome: StepOutcome = {
  id: "fit",
  kind: "train",
  status: "ran",
  key: "aa",
  stepRun: "bb",
  reasons: [
    { part: "inputs", name: "days", before: "cc", after: "dd", message: "days changed" },
    { part: "upstream", name: "split", message: "split ran" },
    { part: "environment", name: "A", after: null, message: "A is new" },
  ],
  durationMs: 12,
  outputs: {
    model: { type: "file", digest: "ee", size: 3 },
    ["__proto__"]: { type: "tree", digest: "ff", size: 4 },
  },
  metrics: { mae: 0.5 },
};

/** The names of all objects in a value, one list each. */
function names(value: unknown): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [];
  const inside = Object.values(value).flatMap((each) => names(each));
  return Array.isArray(value) ? inside : [Object.keys(value), ...inside];
}

test("a record says what the outcome says", () => {
  const record = outcomeRecord(outcome);
  expect(canonicalJson(record)).toBe(canonicalJson(outcome));
  expect(Object.keys(record.outputs)).toEqual(["model", "__proto__"]);
});

test("names are in the order of canonical JSON, which copies nothing then", () => {
  const { ["__proto__"]: _, ...outputs } = outcome.outputs;
  for (const list of names(outcomeRecord({ ...outcome, outputs }))) expect(list).toEqual(list.toSorted());
});
