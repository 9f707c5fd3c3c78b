/** Programs that a TypeScript step starts. A `fork` is followed by the planner, which finds what it loads. */
import type { Use } from "../scan.ts";
import { literalText } from "../sources.ts";
import { callOf, type Rule } from "./rule.ts";

const starting = /^(?:spawn|exec|execFile)(?:Sync)?$/;

const starters = new Set(["npm:execa", "npm:cross-spawn", "npm:nano-spawn", "npm:tinyexec", "npm:zx"]);

export const programs: Rule = (use, { definition }) => {
  if (!starts(use) || use.isAlias || definition.cache.mode === "off") return undefined;
  const what = callOf(use);
  const program = literalText(use.given[0])?.trim().split(/\s/, 1)[0];
  const named = program === undefined || program === "" ? what : `${program}, started with ${what},`;
  return {
    code: "MLP6109",
    what,
    message: (steps) =>
      program === undefined || program === ""
        ? `${named} is reached by ${steps}: the program that it starts is not part of the key.`
        : `${named} is reached by ${steps}: what the program is and reads is not part of the key.`,
    hint: "Make it a step with a command: cmd`…`. Its program and what that loads are then part of the key.",
  };
};

function starts({ origin: [first, name], how }: Use): boolean {
  if (typeof first !== "string") return false;
  if (starters.has(first)) return how === "call";
  return first === "node:child_process" && starting.test(name ?? "");
}
