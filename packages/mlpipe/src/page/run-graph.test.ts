import type { Run } from "@mlpipe/provenance";
import { expect, it } from "vitest";
import { graphNodes } from "./run-graph.ts";
import type { ReportedStep } from "./report-run.ts";

function step(id: string, ...needs: readonly string[]): ReportedStep {
  return {
    id,
    kind: "data",
    status: "ran",
    stepRun: undefined,
    isReused: false,
    inputKinds: {},
    outputKinds: {},
    packages: {},
    environment: {},
    detail: () => undefined,
    outcome: undefined,
    executed: undefined,
    needs: new Map(needs.map((need) => [need, ["out → in"]])),
    code: {},
  };
}

function drawn(steps: readonly ReportedStep[]): readonly string[] | undefined {
  // Of the run nothing but its id would be looked at.
  const nodes = graphNodes(steps, {} as Run);
  return nodes?.map(
    ({ label, steps: members, needs }) => `${label} ${members.length} < ${[...needs.keys()].join()}`,
  );
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

it("children of one each are one node if there are many of them", () => {
  const few = numbers(3).map((n) => step(`fit[${n}]`, "split"));
  expect(drawn([step("split"), ...few])).toHaveLength(4);
  const many = numbers(7).flatMap((n) => [step(`fit[${n}]`, "split"), step(`score[${n}]`, `fit[${n}]`)]);
  expect(drawn([step("split"), ...many, step("best", ...numbers(7).map((n) => `score[${n}]`))])).toEqual([
    "split 1 < ",
    "fit[…] 7 < split",
    "score[…] 7 < fit[…]",
    "best 1 < score[…]",
  ]);
});

it("children that follow one another through other children are not made a circle", () => {
  const steps = numbers(8).flatMap((n) => [
    step(`fit[${n}]`, ...(n === 0 ? [] : [`score[${n - 1}]`])),
    step(`score[${n}]`, `fit[${n}]`),
  ]);
  const nodes = drawn(steps);
  expect(nodes).toHaveLength(16);
  expect(nodes?.slice(0, 3)).toEqual(["fit[0] 1 < ", "score[0] 1 < fit[0]", "fit[1] 1 < score[0]"]);
});

it("of a large graph what is fed and read alike is one node, and chains are; one that stays large is not drawn", () => {
  const fan = numbers(500).map((n) => step(`one-${n}`, "start"));
  expect(drawn([step("start"), ...fan, step("end", ...fan.map(({ id }) => id))])).toEqual([
    "start 1 < ",
    "one-0 … one-499 500 < start",
    "end 1 < one-0",
  ]);
  const chain = numbers(2_000).map((n) => step(`s${n}`, ...(n === 0 ? [] : [`s${n - 1}`])));
  expect(drawn(chain)).toEqual(["s0 … s1999 2000 < "]);
  const web = numbers(300).map((n) =>
    step(
      `w${n}`,
      ...new Set([n - 1, n - 2, Math.floor(n / 3)].filter((m) => m >= 0 && m < n).map((m) => `w${m}`)),
    ),
  );
  expect(drawn(web)).toBeUndefined();
});
