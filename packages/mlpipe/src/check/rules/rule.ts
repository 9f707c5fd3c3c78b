import type { Node } from "ts-morph";
import type { FindingCode } from "../errors.ts";
import type { Origin } from "../origin.ts";
import type { Use } from "../scan.ts";
import type { StepFacts } from "../step-facts.ts";

/** What a rule says against a use. */
export interface Verdict {
  readonly code: FindingCode;
  /** The thing used, as the source would name it: `Date.now()`. */
  readonly what: string;
  /** In one line, given the steps that it concerns as a text. */
  readonly message: (steps: string) => string;
  readonly hint: string;
  /** Where the cause lies that the planner may have found as well. */
  readonly cause?: Node;
}

/** Judges one use in what a step reaches. */
export type Rule = (use: Use, step: StepFacts) => Verdict | undefined;

/** An origin as the source would name it. */
export function nameOf(origin: Origin): string {
  return origin
    .map((part, index) => (index === 0 ? (part ?? "").replace(/^(?:node|npm):/, "") : (part ?? "[…]")))
    .join(".");
}

/** A use that is a call as the source would name it. */
export function callOf({ how, origin }: Use): string {
  const name = nameOf(origin);
  if (how === "new") return `new ${name}()`;
  return how === "call" ? `${name}()` : name;
}
