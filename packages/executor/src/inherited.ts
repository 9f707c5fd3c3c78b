/** What a step inherits from those before it. */
import type { Reason } from "@mlpipe/planner";
import type { StepOutcome } from "./events.ts";
import type { Settled } from "./step-executor.ts";

type Outcomes = ReadonlyMap<string, StepOutcome>;

/** What becomes of a step that cannot run because of another; nothing if all that it needs is there. */
export function stoppedBy(needs: readonly string[], outcomes: Outcomes): Settled | undefined {
  for (const need of needs) {
    const outcome = outcomes.get(need);
    if (outcome === undefined) continue;
    const { status } = outcome;
    if (status === "failed" || status === "rejected" || status === "blocked") {
      const origin = status === "blocked" ? (outcome.reasons[0]?.name ?? need) : need;
      const verb = outcomes.get(origin)?.status === "rejected" ? "was rejected" : "failed";
      return {
        status: "blocked",
        key: null,
        reasons: [{ part: "upstream", name: origin, message: `${origin} ${verb}` }],
      };
    }
    if (status === "cancelled") return cancelled(need, `${need} did not run`);
  }
  return undefined;
}

/** A step that was not started. */
export function cancelled(name: string, message: string): Settled {
  return { status: "cancelled", key: null, reasons: [{ part: "upstream", name, message }] };
}

/** Why a step need not run although some before it did: they made the same again, and the wave stops here. */
export function cutoffs(
  step: string,
  needs: readonly string[],
  outcomes: Outcomes,
): readonly Reason[] | undefined {
  const ran = needs.filter((need) => outcomes.get(need)?.status === "ran");
  if (ran.length === 0) return undefined;
  const message = `${ran.join(" and ")} made the same output again: stopped here`;
  return [{ part: "unchanged", name: ran[0] ?? step, message }];
}
