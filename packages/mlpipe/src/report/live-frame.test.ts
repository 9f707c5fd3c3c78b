import type { ExecutorEvent, StepStatus } from "@mlpipe/executor";
import stringWidth from "string-width";
import { describe, expect, it } from "vitest";
import { plain } from "../cli/style.ts";
import { LiveState } from "./live-frame.ts";

function started(...ids: readonly string[]): LiveState {
  const state = new LiveState(0);
  const steps = ids.map((id) => ({ id, kind: "data" as const, needs: [] }));
  state.take({ type: "run-started", run: "r", pipeline: "line", at: "", steps }, 0);
  return state;
}

const begins = (step: string): ExecutorEvent => ({
  type: "step-started",
  step,
  stepRun: "s",
  key: "k",
  attempt: 1,
  at: "",
  reasons: [{ part: "inputs", name: "x", message: "input x 1 → 2" }],
});
const says = (step: string, line: string): ExecutorEvent => ({
  type: "step-output",
  step,
  attempt: 1,
  stream: "stdout",
  line,
});
const ends = (id: string, status: StepStatus, message = ""): ExecutorEvent => ({
  type: "step-finished",
  at: "",
  outcome: {
    id,
    kind: "data",
    status,
    key: null,
    stepRun: null,
    reasons: [{ part: "unchanged", name: id, message }],
    durationMs: status === "ran" ? 1_500 : 0,
    outputs: {},
  },
});

describe("the live view", () => {
  it("shows what runs with its time and its last line, what is done, and what is to come", () => {
    const state = started("split", "fit", "score");
    state.take(ends("split", "cached", "nothing changed"), 10);
    state.take(begins("fit"), 1_000);
    state.take(says("fit", "epoch 3 of 10"), 2_000);
    expect(state.frame({ now: 3_400, columns: 80, rows: 24, style: plain })).toEqual([
      "line  1 of 3 steps  3 s",
      "= split  cached              nothing changed",
      "▸ fit    running        2 s  epoch 3 of 10",
      "· score",
    ]);
  });

  it("shows for which run a step waits that is to come", () => {
    const state = started("fit");
    state.take(
      { type: "step-waiting", step: "fit", for: "01a2269b-02a6-713f-b918-727be5db96e0", at: "" },
      10,
    );
    const [, line] = state.frame({ now: 20, columns: 90, rows: 24, style: plain });
    expect(line).toBe("· fit                      run 01a2269b-02a6-713f is executing it already");
  });

  it("shows what stands for every item of a list once, and each item in its place when the list is known", () => {
    const state = started("grid", "fit[*]", "score[*]", "pick");
    const before = state.frame({ now: 0, columns: 80, rows: 24, style: plain });
    expect(before.slice(1)).toEqual(["· grid", "· fit[*]", "· score[*]", "· pick"]);
    state.take(ends("grid", "ran"), 10);
    const children = ["fit[a]", "score[a]", "fit[b]", "score[b]"];
    state.take(
      {
        type: "steps-expanded",
        each: "each(grid.trials)",
        at: "",
        templates: ["fit[*]", "score[*]"],
        steps: children.map((id) => ({ id, kind: "data", needs: [] })),
      },
      20,
    );
    state.take(begins("fit[b]"), 1_000);
    const after = state.frame({ now: 1_000, columns: 80, rows: 24, style: plain });
    expect(after[0]).toContain("1 of 6 steps");
    expect(after.slice(2).map((line) => line.split(/ +/)[1])).toEqual([...children, "pick"]);
    state.take(
      { type: "steps-expanded", each: "each(grid.more)", at: "", templates: ["score[a]"], steps: [] },
      1_100,
    );
    expect(state.frame({ now: 1_100, columns: 80, rows: 24, style: plain })[0]).toContain("1 of 5 steps");
  });

  it("never fills more rows or columns than there are", () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => `step-${index}-${"名".repeat(index % 40)}`);
    const state = started(...ids);
    for (const [index, id] of ids.entries()) {
      if (index < 500) state.take(ends(id, "ran"), index);
      else if (index < 510) {
        state.take(begins(id), index);
        state.take(says(id, "長い行 ".repeat(50)), index);
      } else if (index === 900) state.take(ends(id, "failed"), index);
    }
    for (const [columns, rows] of [
      [40, 10],
      [20, 5],
      [200, 60],
      [80, 3],
    ] as const) {
      const frame = state.frame({ now: 10_000, columns, rows, style: plain });
      expect(frame.length).toBeLessThan(rows);
      for (const line of frame) expect(stringWidth(line), line).toBeLessThan(columns);
    }
    const frame = state.frame({ now: 10_000, columns: 80, rows: 16, style: plain }).join("\n");
    // The failure and everything that runs are there before anything else.
    expect(frame).toContain("step-900");
    for (let index = 500; index < 510; index++) expect(frame).toContain(`step-${index}`);
    expect(frame).toContain("more steps");
  });

  it("is the same picture while nothing happens within a second", () => {
    const state = started("fit");
    state.take(begins("fit"), 0);
    const at = (now: number): string => state.frame({ now, columns: 80, rows: 24, style: plain }).join("\n");
    expect(at(1_100)).toBe(at(1_900));
    expect(at(1_100)).not.toBe(at(2_100));
  });
});
