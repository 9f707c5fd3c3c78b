/** The time of day. Measuring how long something takes is no matter. */
import type { Use } from "../scan.ts";
import { isPassing } from "../step-facts.ts";
import { onlyLogged } from "./only-logged.ts";
import { callOf, type Rule } from "./rule.ts";

export const clock: Rule = (use, step) => {
  if (!readsClock(use) || use.isAlias || isPassing(step) || onlyLogged(use.node)) return undefined;
  const what = callOf(use);
  return {
    code: "MLP6102",
    what,
    message: (steps) =>
      `${what} is reached by ${steps}: the result depends on when it was made, and the key does not.`,
    hint:
      "Make the date a param and give it to an input port, or say how long the result holds: cache: false or\n" +
      'cache: { maxAge: "1d" }. To measure how long something takes, use performance.now().',
  };
};

function readsClock({ origin: [first, second], how, given }: Use): boolean {
  if (first === "Temporal") return second === "Now";
  if (first !== "Date") return false;
  return (
    second === "now" || (second === undefined && (how === "call" || (how === "new" && given.length === 0)))
  );
}
