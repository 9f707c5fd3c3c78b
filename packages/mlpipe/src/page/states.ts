/** The states of a step on a page: a sign and a word, so that colour alone says nothing. */
import { symbols } from "../report/symbols.ts";
import type { ReportedStep } from "./report-run.ts";

export type State = ReportedStep["status"];

/** The sign of a state. */
export function signOf(state: State): string {
  return symbols[state].symbol;
}

/** The name of a class of the style sheet. */
export function classOf(state: State): "ran" | "cached" | "bad" | "held" {
  switch (state) {
    case "ran":
      return "ran";
    case "cached":
      return "cached";
    case "failed":
    case "rejected":
      return "bad";
    default:
      return "held";
  }
}

/** The state that says most about several steps: what went wrong before what was held up, and that before the rest. */
export function stateOfAll(states: readonly State[]): State {
  const order: readonly State[] = [
    "failed",
    "rejected",
    "cancelled",
    "waiting",
    "blocked",
    "ran",
    "cached",
    "skipped",
  ];
  return order.find((state) => states.includes(state)) ?? "skipped";
}

/** `12 ran, 2 cached`. */
export function countsOf(states: readonly State[]): string {
  const amounts = new Map<State, number>();
  for (const state of states) amounts.set(state, (amounts.get(state) ?? 0) + 1);
  return [...amounts].map(([state, amount]) => `${amount} ${state}`).join(", ");
}
