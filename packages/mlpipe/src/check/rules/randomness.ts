/** Random numbers that no seed determines. */
import type { Use } from "../scan.ts";
import { isNeverKept } from "../step-facts.ts";
import { onlyLogged } from "./only-logged.ts";
import { callOf, type Rule } from "./rule.ts";

const ofCrypto = new Set([
  "randomUUID",
  "randomBytes",
  "randomInt",
  "randomFill",
  "randomFillSync",
  "getRandomValues",
]);

export const randomness: Rule = (use, step) => {
  if (!isRandom(use) || use.isAlias || isNeverKept(step) || onlyLogged(use.node)) return undefined;
  const what = callOf(use);
  return {
    code: "MLP6103",
    what,
    message: (steps) =>
      `${what} is reached by ${steps}: no seed determines it, so the result cannot be made again.`,
    hint: "Take a seed through a port, seed: seed(), and draw from a generator made with it; or declare cache: false.",
  };
};

function isRandom({ origin: [first, second] }: Use): boolean {
  if (typeof second !== "string") return false;
  return (first === "Math" && second === "random") || (first === "crypto" && ofCrypto.has(second));
}
