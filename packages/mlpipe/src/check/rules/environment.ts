/** Environment variables that a step reads and does not declare. */
import { Node, SyntaxKind } from "ts-morph";
import type { Use } from "../scan.ts";
import { literalText } from "../sources.ts";
import type { Rule, Verdict } from "./rule.ts";

/** Visible to every step, whatever it declares: where things lie on this machine. */
const visible = new Set(["PATH", "HOME", "TMPDIR", "USER", "LOGNAME"]);

/** The same for every step, so that reading them is harmless. */
const fixed = new Set(["TZ", "LANG", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"]);

export const environment: Rule = (use, { definition: { env } }) => {
  const [first, second] = use.origin;
  if (first !== "process" || second !== "env" || use.how === "write" || use.how === "delete")
    return undefined;
  // Where an alias was made it was judged already.
  if (use.inherited > 2) return undefined;
  const name = use.origin.length > 2 ? use.origin[2] : askedFor(use.node);
  if (name === undefined) return use.isAlias ? undefined : wholeEnvironment;
  if (name === null) return computedName;
  if (fixed.has(name) || env.some((declared) => declared.name === name)) return undefined;
  const what = `process.env.${name}`;
  const fate = visible.has(name) ? "its value is not part of the key" : "there it is always undefined";
  return {
    code: "MLP6101",
    what,
    message: (steps) => `${what} is read by ${steps} and not declared: ${fate}.`,
    hint: isSecret(name)
      ? `Declare it: env: [secret("${name}")]. Its name is then part of the key, its value is not.`
      : `Declare it: env: ["${name}"], or env: [secret("${name}")] if its value must not be recorded.`,
  };
};

const wholeEnvironment: Verdict = {
  code: "MLP6101",
  what: "process.env",
  message: (steps) =>
    `process.env is passed on as a whole by ${steps}: which variables are needed cannot be told.`,
  hint: 'Read each variable by its name, and declare it: env: ["NAME"].',
};

const computedName: Verdict = {
  code: "MLP6101",
  what: "process.env[…]",
  message: (steps) =>
    `process.env is read by ${steps} with a computed name: whether it is declared cannot be told.`,
  hint: 'Read each variable by its name, and declare it: env: ["NAME"].',
};

/** `"RATE" in process.env` asks for one. */
function askedFor(environment: Use["node"]): string | undefined {
  const parent = environment.getParent();
  return Node.isBinaryExpression(parent) &&
    parent.getOperatorToken().getKind() === SyntaxKind.InKeyword &&
    parent.getRight() === environment
    ? literalText(parent.getLeft())
    : undefined;
}

function isSecret(name: string): boolean {
  return /(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)(?:_|$)/.test(name);
}
